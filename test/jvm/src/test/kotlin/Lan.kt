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
        private var type = ""

        override fun browse(serviceType: String, sink: DiscoverySink) = synchronized(drivers) {
            this.sink = sink
            type = serviceType
            drivers.add(this)
            alike().forEach { it.announce(sink) }
        }

        override fun advertise(serviceType: String, name: String, port: Int, txt: ByteArray) = synchronized(drivers) {
            check(serviceType == type && serviceType in listOf("_peerlink._tcp", "_peerlink-n._udp")) { serviceType }
            this.name = name
            announce = { it.found(name, "127.0.0.1", port, 0, txt) }
            alike().forEach { it.sink?.let(announce) }
            sink!!.registered(name)
        }

        override fun stopAll() = synchronized(drivers) {
            drivers.remove(this)
            alike().forEach { it.sink?.lost(name) }
            announce = {}
        }

        private fun alike() = drivers.filter { it.type == type }
    }
}
