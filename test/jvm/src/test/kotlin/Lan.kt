import java.util.concurrent.CopyOnWriteArrayList
import peerlink.Discovery
import peerlink.DiscoverySink

/** Discovery in this process: what NsdManager is on a phone. */
class Lan {
    private val drivers = CopyOnWriteArrayList<Driver>()

    fun driver(): Discovery = Driver()

    private inner class Driver : Discovery {
        private var sink: DiscoverySink? = null
        private var announce: (DiscoverySink) -> Unit = {}
        private var name = ""

        override fun browse(serviceType: String, sink: DiscoverySink) = synchronized(drivers) {
            this.sink = sink
            drivers.add(this)
            drivers.forEach { it.announce(sink) }
        }

        override fun advertise(serviceType: String, name: String, port: Int, txt: ByteArray) = synchronized(drivers) {
            check(serviceType == "_peerlink._tcp") { serviceType }
            this.name = name
            announce = { it.found(name, "127.0.0.1", port, 0, txt) }
            drivers.forEach { it.sink?.let(announce) }
            sink!!.registered(name)
        }

        override fun stopAll() = synchronized(drivers) {
            drivers.remove(this)
            drivers.forEach { it.sink?.lost(name) }
            announce = {}
        }
    }
}
