package io.github.peerlink.sample

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.Executor
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import peerlink.Config
import peerlink.Event
import peerlink.EventHandler
import peerlink.Node
import peerlink.Peerlink
import peerlink.ReplyHandler

/** An error of PeerLink; [code] is one of the constants `Peerlink.Code…`. */
class PeerLinkException(val code: Int, message: String) : Exception(message)

/** What happens to a node; called on the executor given to it. */
interface PeerLinkListener {
    fun onPeers(names: List<String>) {}
    fun onTrouble(code: Int, text: String) {}
    fun onStopped() {}
}

/**
 * A node whose functions are Kotlin functions, and whose values are JSON text.
 *
 * Functions that peers call run on four threads of their own, so they may block
 * and call peers themselves. The [listener] and the results of [call] come on
 * [main]. Nothing here uses Android.
 */
class PeerLinkNode(
    name: String,
    private val main: Executor,
    private val listener: PeerLinkListener,
    configure: Config.() -> Unit = {},
) {
    private val functions = ConcurrentHashMap<String, (String) -> String>()
    private val workers: ExecutorService = Executors.newFixedThreadPool(4)
    private val node = Node(Peerlink.newConfig(name).apply(configure), EventHandler(::onEvent))

    /** Lets peers call [function]: from the JSON of its arguments to that of its result. */
    fun handle(function: String, body: (arguments: String) -> String) {
        functions[function] = body
        node.register(function)
    }

    /** Opens sockets and starts discovery; throws if that fails. Not for the main thread. */
    fun start() = node.start()

    /** Ends the node for good, after at most [timeoutMillis]. Not for the main thread. */
    fun stop(timeoutMillis: Int = 1000) {
        node.stop(timeoutMillis)
        workers.shutdown()
    }

    /** The phone joined or left a network. */
    fun networkChanged() = node.networkChanged()

    /** Calls a function of [peer] with the JSON array [arguments]. The result is JSON. */
    fun call(
        peer: String,
        function: String,
        arguments: String,
        timeoutMillis: Int = 5000,
        done: (Result<String>) -> Unit,
    ): Long {
        val cbor = Peerlink.encodeJSON(arguments)
        return node.call(peer, function, cbor, timeoutMillis, object : ReplyHandler {
            override fun onReply(cbor: ByteArray?) {
                val result = runCatching { Peerlink.decodeJSON(cbor) }
                main.execute { done(result) }
            }

            override fun onFail(code: Int, message: String) =
                main.execute { done(Result.failure(PeerLinkException(code, message))) }
        })
    }

    /** Ends the wait for a call, by the number that [call] returned. */
    fun cancel(call: Long) = node.cancel(call)

    // On a thread of the library, one event at a time.
    private fun onEvent(event: Event) {
        when (event.kind()) {
            Peerlink.EventCall -> workers.execute { serve(event) }
            Peerlink.EventDiscoveryFailed -> main.execute { listener.onTrouble(event.code(), event.detail()) }
            Peerlink.EventStopped -> main.execute { listener.onStopped() }
            Peerlink.EventPeerUp, Peerlink.EventPeerDown, Peerlink.EventPeerReplaced -> {
                val names = peers()
                main.execute { listener.onPeers(names) }
            }
        }
    }

    /** The names of the peers that are up, in order. */
    fun peers(): List<String> {
        val list = node.peers()
        return (0 until list.len()).map { list.at(it).name() }
    }

    private fun serve(event: Event) {
        val outcome = runCatching {
            val body = functions.getValue(event.name())
            Peerlink.encodeJSON(body(Peerlink.decodeJSON(event.data())))
        }
        // A reply fails if the caller has given up meanwhile.
        runCatching {
            outcome.fold(
                { node.reply(event.callID(), it) },
                { node.replyError(event.callID(), it.javaClass.simpleName, it.message.orEmpty()) },
            )
        }
    }
}
