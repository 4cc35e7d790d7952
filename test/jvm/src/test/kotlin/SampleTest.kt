import io.github.peerlink.sample.NetworkInterfaces
import io.github.peerlink.sample.PeerLinkException
import io.github.peerlink.sample.PeerLinkListener
import io.github.peerlink.sample.PeerLinkNode
import io.github.peerlink.sample.decodeTxt
import io.github.peerlink.sample.encodeTxt
import java.util.concurrent.BlockingQueue
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit.SECONDS
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import peerlink.Peerlink

/** What of the Android sample does not need Android. */
class SampleTest {
    @Test fun twoNodesOfTheSample() {
        val lan = Lan()
        val main = Executors.newSingleThreadExecutor()
        val one = Recorder()
        val two = Recorder()
        val node1 = PeerLinkNode("One", main, one) { setDiscovery(lan.driver()); setInterfaces(NetworkInterfaces) }
        val node2 = PeerLinkNode("Two", main, two) { setDiscovery(lan.driver()); setInterfaces(NetworkInterfaces) }
        node1.handle("echo") { it.removeSurrounding("[", "]") }
        node1.handle("fail") { error("failed on purpose") }
        node1.start()
        node2.start()
        assertEquals(listOf("One"), two.peers.poll(10, SECONDS))
        assertEquals("\"x\"", node2.get("One", "echo", "[\"x\"]").getOrThrow())
        val e = node2.get("One", "fail", "[]").exceptionOrNull() as PeerLinkException
        assertEquals(Peerlink.CodeRemote, e.code)
        assertEquals("IllegalStateException: failed on purpose", e.message)
        node1.stop()
        assertEquals(emptyList<String>(), two.peers.poll(10, SECONDS))
        node2.stop()
        assertTrue(one.stopped.await(10, SECONDS) && two.stopped.await(10, SECONDS))
        main.shutdown()
    }

    @Test fun interfaces() {
        val json = NetworkInterfaces.interfacesJSON()
        assertTrue(json.contains("\"name\":\"lo\"") && json.contains("\"127.0.0.1/8\""), json)
        Peerlink.encodeJSON(json) // it is JSON
        assertThrows(Exception::class.java) { Peerlink.encodeJSON("$json]") }
    }

    @Test fun txtRecords() {
        val wire = byteArrayOf(3) + "a=1".toByteArray() + byteArrayOf(0, 2) + "b=".toByteArray() + byteArrayOf(1) + "c".toByteArray()
        assertEquals(mapOf("a" to "1", "b" to ""), decodeTxt(wire))
        assertEquals(mapOf("a" to ""), decodeTxt(byteArrayOf(9) + "a=".toByteArray()), "cut short")
        val attributes = mapOf("a" to "1".toByteArray(), "c" to null, "long" to ByteArray(255))
        assertEquals("\u0003a=1\u0001c", String(encodeTxt(attributes)))
    }

    private fun PeerLinkNode.get(peer: String, function: String, args: String): Result<String> {
        val f = CompletableFuture<Result<String>>()
        call(peer, function, args) { f.complete(it) }
        return f.get(10, SECONDS)
    }

    private class Recorder : PeerLinkListener {
        val peers: BlockingQueue<List<String>> = LinkedBlockingQueue()
        val stopped = CountDownLatch(1)
        override fun onPeers(names: List<String>) { peers.add(names) }
        override fun onStopped() = stopped.countDown()
    }
}
