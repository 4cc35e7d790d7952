package io.github.peerlink.sample

import android.net.nsd.NsdManager
import android.net.nsd.NsdServiceInfo
import android.os.Build
import java.net.InetAddress
import java.util.concurrent.Executor
import peerlink.DiscoverySink

/**
 * Turns the names that NsdManager finds into addresses. Since Android 14 each is
 * followed by a callback; before, they are resolved one after the other, since
 * NsdManager refuses a second request while one is under way.
 */
class NsdResolver(private val nsd: NsdManager, private val sink: DiscoverySink) {
    private val waiting = ArrayDeque<NsdServiceInfo>() // guarded by this, as all below
    private val followed = HashMap<String, AutoCloseable>()
    private var resolving = false
    private var closed = false

    @Synchronized
    fun add(info: NsdServiceInfo) {
        if (closed) return
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.UPSIDE_DOWN_CAKE) {
            if (info.serviceName !in followed) followed[info.serviceName] = follow(info)
        } else {
            waiting.removeAll { it.serviceName == info.serviceName }
            waiting.add(info)
            resolveNext()
        }
    }

    @Synchronized
    fun remove(name: String) {
        waiting.removeAll { it.serviceName == name }
        followed.remove(name)?.close()
    }

    @Synchronized
    fun close() {
        closed = true
        waiting.clear()
        followed.values.forEach { it.close() }
        followed.clear()
    }

    private fun follow(info: NsdServiceInfo): AutoCloseable {
        val callback = object : NsdManager.ServiceInfoCallback {
            override fun onServiceUpdated(info: NsdServiceInfo) = found(info, info.hostAddresses)
            override fun onServiceLost() = sink.lost(info.serviceName)
            override fun onServiceInfoCallbackRegistrationFailed(error: Int) = remove(info.serviceName)
            override fun onServiceInfoCallbackUnregistered() {}
        }
        nsd.registerServiceInfoCallback(info, Executor(Runnable::run), callback)
        return AutoCloseable { runCatching { nsd.unregisterServiceInfoCallback(callback) } }
    }

    @Suppress("DEPRECATION")
    private fun resolveNext() {
        if (resolving) return
        val info = waiting.removeFirstOrNull() ?: return
        resolving = true
        nsd.resolveService(info, object : NsdManager.ResolveListener {
            override fun onServiceResolved(info: NsdServiceInfo) {
                found(info, listOfNotNull(info.host))
                done()
            }

            override fun onResolveFailed(info: NsdServiceInfo, error: Int) = done()
        })
    }

    @Synchronized
    private fun done() {
        resolving = false
        if (!closed) resolveNext()
    }

    private fun found(info: NsdServiceInfo, addresses: List<InetAddress>) {
        val text = addresses.mapNotNull { it.hostAddress }.joinToString(" ")
        sink.found(info.serviceName, text, info.port, 0, encodeTxt(info.attributes))
    }
}
