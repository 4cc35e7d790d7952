import peerlink.*

/** Phone1 lets its peers call add(a, b). Enter ends it. */
fun main() {
    lateinit var node: Node
    node = Node(Peerlink.newConfig("Phone1")) { e ->
        if (e.kind() == Peerlink.EventCall) {
            val numbers = Peerlink.decodeJSON(e.data()).trim('[', ']').split(",")
            node.reply(e.callID(), Peerlink.encodeJSON("${numbers.sumOf { it.trim().toInt() }}"))
        }
    }
    node.register("add")
    node.start()
    println("Phone1 is up")
    readlnOrNull()
    node.stop(1000)
    System.exit(0) // on a desktop, the library's threads keep the JVM alive
}
