import io.github.peerlink.sample.NetworkInterfaces
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit.SECONDS
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import peerlink.Config
import peerlink.Peerlink
import peerlink.ReplyHandler

/** Phone1 and Phone2 in one JVM. Subclasses say how they find each other. */
abstract class PhonesTest {
    abstract fun configure(cfg: Config)

    private val phone1 by lazy { Phone(unique("Phone1")) { configure(this) } }
    private val phone2 by lazy { Phone(unique("Phone2")) { configure(this) } }

    @BeforeEach fun meet() {
        phone1.offer("add") { args -> args.trim('[', ']').split(",").sumOf { it.trim().toInt() }.toString() }
        phone1.start()
        phone2.start()
        phone1.sees(phone2)
        phone2.sees(phone1)
    }

    @AfterEach fun part() {
        phone1.close()
        phone2.close()
    }

    @Test fun callsBothWays() {
        phone2.offer("where") { "\"on the table, naïve 😀\"" }
        assertEquals("42", phone2.call(phone1.name, "add", "[25,17]"))
        assertEquals("\"on the table, na\\u00efve \\ud83d\\ude00\"", phone1.call(phone2.name, "where"))
        val peers = phone1.node.peers()
        assertTrue((0 until peers.len()).any { peers.at(it).name() == phone2.name })
        assertEquals(true, peers.at(0).addr().startsWith("127.0.0.1:"), peers.at(0).addr())
    }

    @Test fun callbackInsideACall() {
        phone2.offer("double") { (it.trim('[', ']').toInt() * 2).toString() }
        phone1.on("viaCaller") { e ->
            // The caller waits for this very reply, so its thread of events is free.
            phone1.node.reply(e.callID(), encode(phone1.call(e.peerName(), "double", decode(e.data()))))
        }
        assertEquals("14", phone2.call(phone1.name, "viaCaller", "[7]"))
    }

    @Test fun remoteErrors() {
        phone1.on("refuse") { phone1.node.replyError(it.callID(), "ValueError", "not today") }
        phone1.on("throw") { throw IllegalStateException("thrown in a handler") }
        phone1.on("throwNothing") { throw IllegalStateException() }
        assertFails(Peerlink.CodeRemote, "ValueError: not today") { phone2.call(phone1.name, "refuse") }
        assertFails(Peerlink.CodeRemote, "thrown in a handler") { phone2.call(phone1.name, "throw") }
        assertFails(Peerlink.CodeRemote, "") { phone2.call(phone1.name, "throwNothing") }
        assertEquals("3", phone2.call(phone1.name, "add", "[1,2]"), "after all that")
    }

    @Test fun unknownPeerAndTimeout() {
        assertFails(Peerlink.CodePeerNotFound, "nobody") { phone2.call("nobody", "add") }
        phone1.node.register("silent")
        assertFails(Peerlink.CodeTimeout, "silent") { phone2.call(phone1.name, "silent", "[]", 100) }
        val late = phone1.await(Peerlink.EventCall, phone2.name)
        // The answer comes too late for the caller; this end may know that or not.
        runCatching { phone1.node.reply(late.callID(), null) }
        assertEquals("3", phone2.call(phone1.name, "add", "[1,2]"))
    }

    @Test fun asynchronousCallAndCancel() {
        val sum = Outcome()
        assertTrue(phone2.node.call(phone1.name, "add", encode("[25,17]"), 5000, sum) > 0)
        assertEquals("42", sum.get(10, SECONDS))

        phone1.node.register("silent")
        val canceled = Outcome()
        phone2.node.cancel(phone2.node.call(phone1.name, "silent", null, 60_000, canceled))
        assertEquals("code ${Peerlink.CodeCanceled}", canceled.get(10, SECONDS))
    }

    @Test fun aStoppedPeerGoesDown() {
        phone1.node.stop(0)
        assertEquals("removed", phone2.await(Peerlink.EventPeerDown, phone1.name).detail())
        assertFails(Peerlink.CodePeerNotFound, phone1.name) { phone2.call(phone1.name, "add") }
        assertFails(Peerlink.CodeClosed, "") { phone1.call(phone2.name, "x") }
        phone1.start()
        phone2.sees(phone1)
        assertEquals("42", phone2.call(phone1.name, "add", "[25,17]"))
    }

    private class Outcome : CompletableFuture<String>(), ReplyHandler {
        override fun onReply(cbor: ByteArray?) { complete(decode(cbor)) }
        override fun onFail(code: Int, message: String) { complete("code $code") }
    }
}

fun assertFails(code: Int, text: String, body: () -> Unit) {
    val e = assertThrows(Exception::class.java, body)
    assertEquals(code, Peerlink.errorCode(e.message), e.message)
    assertTrue(e.message!!.contains(text), e.message)
}

/** By multicast DNS, on the loopback interface: see PEERLINK_INTERFACES in pom.xml. */
class MulticastPhonesTest : PhonesTest() {
    override fun configure(cfg: Config) = assertEquals("lo", System.getenv("PEERLINK_INTERFACES"))
}

/** By a discovery of the application, with the sample's list of interfaces. */
class InjectedPhonesTest : PhonesTest() {
    private val lan = Lan()
    override fun configure(cfg: Config) {
        cfg.setDiscovery(lan.driver())
        cfg.setInterfaces(NetworkInterfaces)
    }
}
