import java.util.concurrent.TimeUnit.SECONDS
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The programs in examples/kotlin, each in a JVM of its own. */
class ExamplesTest {
    @Test fun phone2AddsOnPhone1() {
        val phone1 = run("Phone1Kt")
        val phone2 = run("Phone2Kt")
        try {
            assertEquals("Phone1 is up", phone1.inputReader().readLine())
            assertEquals("25 + 17 = 42", phone2.inputReader().readLine())
            assertTrue(phone2.waitFor(10, SECONDS))
            assertEquals(0, phone2.exitValue())
            phone1.outputStream.close()
            assertTrue(phone1.waitFor(10, SECONDS))
            assertEquals(0, phone1.exitValue())
        } finally {
            phone1.destroyForcibly()
            phone2.destroyForcibly()
        }
    }

    private fun run(main: String): Process = ProcessBuilder(
        System.getProperty("java.home") + "/bin/java",
        "-Djava.library.path=" + System.getProperty("java.library.path"),
        "-cp", System.getProperty("java.class.path"), main,
    ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
}
