package io.github.peerlink.sample

import java.io.ByteArrayOutputStream

/** The wire form of a TXT record (RFC 6763 section 6): strings behind their lengths. */
fun encodeTxt(attributes: Map<String, ByteArray?>): ByteArray {
    val out = ByteArrayOutputStream()
    for ((key, value) in attributes) {
        val s = key.toByteArray() + if (value == null) byteArrayOf() else "=".toByteArray() + value
        if (s.size in 1..255) {
            out.write(s.size)
            out.write(s)
        }
    }
    return out.toByteArray()
}

/** The strings of a TXT record that say key=value. */
fun decodeTxt(txt: ByteArray): Map<String, String> {
    val attributes = LinkedHashMap<String, String>()
    var i = 0
    while (i < txt.size) {
        val end = minOf(i + 1 + (txt[i].toInt() and 0xff), txt.size)
        val s = String(txt, i + 1, end - i - 1)
        if ('=' in s) attributes.putIfAbsent(s.substringBefore('='), s.substringAfter('='))
        i = end
    }
    return attributes
}
