import java.util.concurrent.BlockingQueue
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit.NANOSECONDS
import java.util.concurrent.TimeUnit.SECONDS
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import peerlink.Config
import peerlink.Event
import peerlink.EventHandler
import peerlink.Node
import peerlink.Peerlink

/** Names of this run alone: other tests may use the same loopback interface. */
fun unique(name: String) = "$name-${ProcessHandle.current().pid()}"

fun encode(json: String): ByteArray = Peerlink.encodeJSON(json)

fun decode(cbor: ByteArray?): String = Peerlink.decodeJSON(cbor)

/** A node, the events it got, and the functions it offers; those run inside OnEvent. */
class Phone(val name: String, configure: Config.() -> Unit = {}) : EventHandler, AutoCloseable {
    private val events: BlockingQueue<Event> = LinkedBlockingQueue()
    private val functions = ConcurrentHashMap<String, (Event) -> Unit>()
    private val stopped = CountDownLatch(1)
    val node = Node(Peerlink.newConfig(name).apply(configure), this)

    override fun onEvent(e: Event) {
        if (e.kind() == Peerlink.EventStopped) stopped.countDown()
        val function = if (e.kind() == Peerlink.EventCall) functions[e.name()] else null
        if (function != null) function(e) else events.add(e)
    }

    fun on(name: String, body: (Event) -> Unit) {
        functions[name] = body
        node.register(name)
    }

    /** Offers a function from JSON to JSON. */
    fun offer(name: String, body: (String) -> String) =
        on(name) { node.reply(it.callID(), encode(body(decode(it.data())))) }

    fun start() = apply { node.start() }

    fun call(peer: String, function: String, args: String = "[]", timeoutMillis: Int = 5000) =
        decode(node.callSync(peer, function, encode(args), timeoutMillis))

    /** Waits for an event of that kind about that peer, and passes over others. */
    fun await(kind: Int, peer: String = ""): Event {
        val deadline = System.nanoTime() + SECONDS.toNanos(20)
        while (true) {
            val e = events.poll(deadline - System.nanoTime(), NANOSECONDS)
            assertNotNull(e, "$name saw no event $kind of $peer")
            if (e!!.kind() == kind && e.peerName() == peer) return e
        }
    }

    fun sees(peer: Phone): Event = await(Peerlink.EventPeerUp, peer.name)

    override fun close() {
        node.stop(0)
        assertEquals(true, stopped.await(10, SECONDS), "$name had no EventStopped")
    }
}
