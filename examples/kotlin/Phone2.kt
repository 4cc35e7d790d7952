import java.util.concurrent.CountDownLatch
import peerlink.*

/** Phone2 waits for Phone1, and calls its add. */
fun main() {
    val up = CountDownLatch(1)
    val node = Node(Peerlink.newConfig("Phone2")) { e ->
        if (e.kind() == Peerlink.EventPeerUp && e.peerName() == "Phone1") up.countDown()
    }
    node.start()
    up.await()
    val sum = node.callSync("Phone1", "add", Peerlink.encodeJSON("[25, 17]"), 5000)
    println("25 + 17 = " + Peerlink.decodeJSON(sum))
    node.stop(1000)
    System.exit(0) // on a desktop, the library's threads keep the JVM alive
}
