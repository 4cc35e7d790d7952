import java.util.concurrent.TimeUnit.SECONDS
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import peerlink.Peerlink

/** A node in this JVM and one in a process of its own, written in Go. */
class GoPeerTest {
    @Test fun callsBothWaysBetweenJvmAndGo() {
        val name = unique("GoPhone")
        Phone(unique("JvmPhone")).use { phone ->
            phone.offer("greet") { args -> "\"hello ${args.trim('[', ']', '"')}\"" }
            phone.start()
            val go = ProcessBuilder(System.getProperty("gopeer"), name).redirectError(ProcessBuilder.Redirect.INHERIT).start()
            try {
                assertEquals("READY", go.inputReader().readLine())
                val up = phone.await(Peerlink.EventPeerUp, name)
                assertTrue(up.addr().startsWith("127.0.0.1:"), up.addr())
                assertEquals("42", phone.call(name, "add", "[25,17]"))
                assertEquals("\"hello from Go\"", phone.call(name, "askBack", "[\"greet\"]"))
                go.outputStream.close()
                assertTrue(go.waitFor(10, SECONDS))
                phone.await(Peerlink.EventPeerDown, name)
            } finally {
                go.destroyForcibly()
            }
        }
    }
}
