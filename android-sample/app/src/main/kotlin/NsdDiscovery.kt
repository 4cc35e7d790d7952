package io.github.peerlink.sample

import android.content.Context
import android.net.nsd.NsdManager
import android.net.nsd.NsdServiceInfo
import peerlink.Discovery
import peerlink.DiscoverySink
import peerlink.Peerlink

/** Discovery by the system, which works where Wi-Fi drops multicast meant for apps. */
class NsdDiscovery(context: Context) : Discovery {
    private val nsd = context.applicationContext.getSystemService(Context.NSD_SERVICE) as NsdManager
    private var session: Session? = null // guarded by this

    @Synchronized
    override fun browse(serviceType: String, sink: DiscoverySink) {
        session = Session(nsd, sink).also { it.browse(serviceType) }
    }

    /** Called again for another txt only: NsdManager cannot change that, so it stays. */
    @Synchronized
    override fun advertise(serviceType: String, name: String, port: Int, txt: ByteArray) {
        session?.advertise(NsdServiceInfo().apply {
            this.serviceType = serviceType
            serviceName = name
            setPort(port)
            decodeTxt(txt).forEach { (key, value) -> setAttribute(key, value) }
        })
    }

    @Synchronized
    override fun stopAll() {
        session?.close()
        session = null
    }

    /** One Browse with its Advertise; NsdManager wants a new listener for each. */
    private class Session(private val nsd: NsdManager, private val sink: DiscoverySink) {
        private val resolver = NsdResolver(nsd, sink)
        private var advertised = false

        fun browse(serviceType: String) = nsd.discoverServices(serviceType, NsdManager.PROTOCOL_DNS_SD, browser)

        fun advertise(info: NsdServiceInfo) {
            if (advertised) return
            advertised = true
            nsd.registerService(info, NsdManager.PROTOCOL_DNS_SD, registrar)
        }

        fun close() {
            resolver.close()
            // Each throws if the system refused to start it.
            runCatching { nsd.stopServiceDiscovery(browser) }
            if (advertised) runCatching { nsd.unregisterService(registrar) }
        }

        private val browser = object : NsdManager.DiscoveryListener {
            override fun onServiceFound(info: NsdServiceInfo) = resolver.add(info)

            override fun onServiceLost(info: NsdServiceInfo) {
                resolver.remove(info.serviceName)
                sink.lost(info.serviceName)
            }

            override fun onStartDiscoveryFailed(serviceType: String, error: Int) =
                sink.failed(Peerlink.CodeIO, "browsing failed: NsdManager error $error")

            override fun onDiscoveryStarted(serviceType: String) {}
            override fun onDiscoveryStopped(serviceType: String) {}
            override fun onStopDiscoveryFailed(serviceType: String, error: Int) {}
        }

        private val registrar = object : NsdManager.RegistrationListener {
            override fun onServiceRegistered(info: NsdServiceInfo) = sink.registered(info.serviceName)

            override fun onRegistrationFailed(info: NsdServiceInfo, error: Int) =
                sink.failed(Peerlink.CodeIO, "advertising failed: NsdManager error $error")

            override fun onServiceUnregistered(info: NsdServiceInfo) {}
            override fun onUnregistrationFailed(info: NsdServiceInfo, error: Int) {}
        }
    }
}
