package io.github.peerlink.sample

import java.net.NetworkInterface
import peerlink.Interfaces

/** Tells the library the network interfaces, whose list Android hides from native code. */
object NetworkInterfaces : Interfaces {
    override fun interfacesJSON(): String =
        NetworkInterface.getNetworkInterfaces().asSequence().mapNotNull(::json).joinToString(",", "[", "]")

    /** Null if the interface went away between two questions. */
    private fun json(i: NetworkInterface): String? = runCatching {
        val addrs = i.interfaceAddresses.joinToString(",") {
            quote("${it.address.hostAddress}/${it.networkPrefixLength}")
        }
        """{"index":${i.index},"name":${quote(i.name)},"up":${i.isUp},""" +
            """"multicast":${i.supportsMulticast()},"loopback":${i.isLoopback},""" +
            """"pointToPoint":${i.isPointToPoint},"addrs":[$addrs]}"""
    }.getOrNull()

    private fun quote(s: String) = "\"" + s.replace("\\", "\\\\").replace("\"", "\\\"") + "\""
}
