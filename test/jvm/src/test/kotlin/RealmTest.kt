import io.github.peerlink.sample.NetworkInterfaces
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.ConcurrentLinkedQueue
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import peerlink.Peerlink

/** Nodes that share a secret, and those that do not. */
class RealmTest {
    private val lan = Lan()
    private val log = ConcurrentLinkedQueue<String>()

    private fun phone(name: String, secret: String, dir: Path? = null) = Phone(unique(name)) {
        setDiscovery(lan.driver())
        setInterfaces(NetworkInterfaces)
        setSecret(secret)
        setLogger { _, line -> log.add(line) }
        if (dir != null) setStateDir(dir.toString())
    }

    @Test fun aSecretRealm(@TempDir dir: Path) {
        val secret = Peerlink.newSecret()
        assertTrue(secret.startsWith("plk1_"))
        assertNotEquals(secret, Peerlink.newSecret())
        phone("Phone1", secret, dir).use { one ->
            phone("Phone2", secret).use { two ->
                phone("Stranger", "").use { stranger ->
                    phone("Other", "another secret").use { other -> meet(one, two, listOf(stranger, other)) }
                }
            }
            val key = one.node.fingerprint()
            one.node.stop(0)
            one.start()
            assertEquals(key, one.node.fingerprint())
        }
        assertTrue(Files.list(dir).use { it.count() } > 0)
        assertFalse(log.any { it.contains(secret) || it.contains("another secret") }, log::toString)
    }

    private fun meet(one: Phone, two: Phone, strangers: List<Phone>) {
        one.on("echo") { one.node.reply(it.callID(), if (it.authenticated()) it.data() else null) }
        (strangers + one + two).forEach { it.start() }
        two.sees(one)
        assertEquals("[1]", two.call(one.name, "echo", "[1]"))
        val peer = two.node.peers().at(0)
        assertTrue(peer.encrypted() && peer.authenticated() && !peer.legacy())
        assertEquals(one.node.fingerprint(), peer.fingerprint())
        assertTrue(peer.rttMicros() > 0 && peer.loss() in 0.0..1.0)
        for (stranger in strangers) {
            assertEquals(0, stranger.node.peers().len())
            stranger.node.addPeer(one.name, "127.0.0.1", one.node.port())
            assertFails(Peerlink.CodeTimeout, one.name) { stranger.call(one.name, "echo", "[]", 300) }
        }
    }

    @Test fun aMebibyteBothWays() {
        phone("Phone1", "").use { one ->
            phone("Phone2", "").use { two ->
                one.on("echo") { one.node.reply(it.callID(), it.data()) }
                one.start()
                two.start()
                two.sees(one)
                val args = encode("[\"${"x".repeat(1 shl 20)}\"]")
                assertArrayEquals(args, two.node.callSync(one.name, "echo", args, 20_000))
                assertFalse(two.node.peers().at(0).authenticated())
                assertFails(Peerlink.CodeTooLarge, "the limit is 16777216") {
                    two.node.callSync(one.name, "echo", ByteArray((16 shl 20) + 1), 5000)
                }
                assertFails(Peerlink.CodeNoHandler, "nothing") { two.call(one.name, "nothing") }
            }
        }
    }

    @Test fun aDamagedSecret() {
        val phone = peerlink.Node(Peerlink.newConfig("Damaged").apply { setSecret("plk1_hunter2") }) {}
        assertFails(Peerlink.CodeInvalid, "damaged") { phone.start() }
        val e = runCatching { phone.start() }.exceptionOrNull()!!
        assertFalse(e.toString().contains("hunter2"), e.toString())
    }
}
