package io.github.peerlink.sample

import android.app.Activity
import android.content.pm.PackageManager
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView
import java.util.concurrent.Executor
import java.util.concurrent.Executors

/**
 * Phone1 and Phone2: the same app on two phones. Each is named after its model,
 * lists the others, and lets them call add; the button calls add(25, 17) there.
 *
 * The node runs while the app is visible: Android cuts the network of others.
 */
class MainActivity : Activity(), PeerLinkListener {
    private val main = Executor(Handler(Looper.getMainLooper())::post)
    private val background = Executors.newSingleThreadExecutor() // starts and stops, in order
    private lateinit var peer: EditText
    private lateinit var peers: TextView
    private lateinit var log: TextView
    private var node: PeerLinkNode? = null
    private var watch: NetworkWatch? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        peers = TextView(this)
        peer = EditText(this).apply { hint = "name of the other phone" }
        log = TextView(this)
        val call = Button(this).apply {
            text = "add(25, 17)"
            setOnClickListener { callAdd(peer.text.toString().trim()) }
        }
        setContentView(LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            listOf(peers, peer, call, log).forEach(::addView)
        })
    }

    override fun onStart() {
        super.onStart()
        if (needsPermission()) requestPermissions(arrayOf(LOCAL_NETWORK), 0) else startNode()
    }

    override fun onRequestPermissionsResult(code: Int, permissions: Array<String>, results: IntArray) {
        if (needsPermission()) log.text = "without the permission no peer can be found" else startNode()
    }

    override fun onStop() {
        watch?.close()
        watch = null
        val n = node
        node = null
        if (n != null) background.execute { n.stop() }
        super.onStop()
    }

    override fun onDestroy() {
        background.shutdown()
        super.onDestroy()
    }

    private fun startNode() {
        if (node != null) return
        val name = Build.MODEL.take(20)
        val n = PeerLinkNode(name, main, this) {
            setDiscovery(NsdDiscovery(this@MainActivity))
            setInterfaces(NetworkInterfaces)
            setMulticastLock(WifiMulticastLock(this@MainActivity))
            setLogger(SystemLog)
        }
        node = n
        background.execute {
            val outcome = runCatching {
                n.handle("add", ::add)
                n.start()
            }
            main.execute { log.text = outcome.fold({ "this is $name" }, { "not started: ${it.message}" }) }
        }
        watch = NetworkWatch(this, n::networkChanged)
    }

    private fun callAdd(name: String) {
        node?.call(name, "add", "[25, 17]") { result ->
            log.text = result.fold({ "25 + 17 = $it, says $name" }, { it.message })
        }
    }

    override fun onPeers(names: List<String>) {
        peers.text = names.joinToString("\n", "peers:\n")
    }

    override fun onTrouble(code: Int, text: String) {
        log.text = text
    }

    private fun needsPermission() = Build.VERSION.SDK_INT >= LOCAL_NETWORK_SINCE &&
        checkSelfPermission(LOCAL_NETWORK) != PackageManager.PERMISSION_GRANTED

    private companion object {
        const val LOCAL_NETWORK = "android.permission.ACCESS_LOCAL_NETWORK"
        const val LOCAL_NETWORK_SINCE = 37
    }
}

/** From the JSON of two numbers to that of their sum. */
private fun add(arguments: String): String {
    val numbers = org.json.JSONArray(arguments)
    return (numbers.getLong(0) + numbers.getLong(1)).toString()
}
