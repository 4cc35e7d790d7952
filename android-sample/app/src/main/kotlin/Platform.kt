package io.github.peerlink.sample

import android.content.Context
import android.net.ConnectivityManager
import android.net.LinkProperties
import android.net.Network
import android.net.wifi.WifiManager
import android.util.Log
import peerlink.Logger
import peerlink.MulticastLock
import peerlink.Peerlink

/** Keeps Wi-Fi from dropping multicast while the node runs. */
class WifiMulticastLock(context: Context) : MulticastLock {
    private val wifi = context.applicationContext.getSystemService(Context.WIFI_SERVICE) as WifiManager
    private val lock = wifi.createMulticastLock("peerlink").apply { setReferenceCounted(false) }

    override fun lock() = lock.acquire()
    override fun unlock() = lock.release()
}

/** The library's log, in the system's. */
object SystemLog : Logger {
    override fun log(level: Int, line: String) {
        val priority = when {
            level >= Peerlink.LogError -> Log.ERROR
            level >= Peerlink.LogWarn -> Log.WARN
            else -> Log.INFO
        }
        Log.println(priority, "peerlink", line)
    }
}

/** Calls [changed] when a network comes, goes or changes its addresses, until closed. */
class NetworkWatch(context: Context, private val changed: () -> Unit) : AutoCloseable {
    private val manager = context.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager

    // What was seen last of the network in use, so that what is there at the start
    // does not count as a change. Used on the system's thread alone.
    private var last: LinkProperties? = manager.getLinkProperties(manager.activeNetwork)

    private val callback = object : ConnectivityManager.NetworkCallback() {
        override fun onLinkPropertiesChanged(network: Network, link: LinkProperties) = now(link)
        override fun onLost(network: Network) = now(null)
    }

    init {
        manager.registerDefaultNetworkCallback(callback)
    }

    private fun now(link: LinkProperties?) {
        if (link == last) return
        last = link
        changed()
    }

    override fun close() = manager.unregisterNetworkCallback(callback)
}
