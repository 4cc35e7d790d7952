import Foundation
import Peerlink

/// An error of PeerLink; `code` is one of the constants `PeerlinkCode…`.
struct PeerLinkError: LocalizedError {
    let code: Int32
    let message: String
    var errorDescription: String? { message }
}

/// A node whose functions are Swift closures, and whose values are JSON text.
///
/// Closures that peers call run on a concurrent queue of their own, so they may block.
/// `onPeers` and `onTrouble` are called on the main queue.
final class PeerLinkNode: NSObject, PeerlinkEventHandlerProtocol {
    typealias Function = @Sendable (_ arguments: String) throws -> String

    var onPeers: ([String]) -> Void = { _ in }
    var onTrouble: (Int32, String) -> Void = { _, _ in }

    private let control = DispatchQueue(label: "peerlink.control") // starts and stops, in order
    private let workers = DispatchQueue(label: "peerlink.calls", attributes: .concurrent)
    private let lock = NSLock()
    private var functions: [String: Function] = [:] // guarded by lock
    private var node: PeerlinkNode! // set once in init

    init(name: String) {
        super.init()
        let config = PeerlinkNewConfig(name)
        config?.setDiscovery(BonjourDiscovery())
        node = PeerlinkNewNode(config, self)
    }

    /// Lets peers call `function`: from the JSON of its arguments to that of its result.
    func handle(_ function: String, _ body: @escaping Function) throws {
        lock.withLock { functions[function] = body }
        try node.register(function)
    }

    /// Opens sockets and starts discovery. After `stop` it can be called again.
    func start() {
        control.async { [self] in
            do {
                try node.start()
            } catch {
                let message = error.localizedDescription
                DispatchQueue.main.async { self.onTrouble(PeerlinkErrorCode(message), message) }
            }
        }
    }

    /// Says goodbye and closes the sockets; `done` is called when they are closed, on any queue.
    func stop(done: @escaping @Sendable () -> Void = {}) {
        control.async { [self] in
            try? node.stop(500)
            done()
        }
    }

    /// Calls a function of `peer` with a JSON array of arguments. The result is JSON.
    func call(_ peer: String, _ function: String, _ arguments: String, timeoutMillis: Int32 = 5000) async throws -> String {
        let cbor = try encode(arguments)
        return try await withCheckedThrowingContinuation { continuation in
            node.call(peer, function: function, cbor: cbor, timeoutMillis: timeoutMillis, handler: Reply(continuation))
        }
    }

    // On a thread of the library, one event at a time.
    func onEvent(_ e: PeerlinkEvent?) throws {
        guard let event = e else { return }
        switch event.kind() {
        case PeerlinkEventCall:
            workers.async { self.serve(event) }
        case PeerlinkEventDiscoveryFailed:
            let (code, detail) = (event.code(), event.detail())
            DispatchQueue.main.async { self.onTrouble(code, detail) }
        case PeerlinkEventPeerUp, PeerlinkEventPeerDown, PeerlinkEventPeerReplaced, PeerlinkEventStopped:
            let names = peers()
            DispatchQueue.main.async { self.onPeers(names) }
        default:
            break // there will be kinds that this program does not know
        }
    }

    private func peers() -> [String] {
        guard let list = node.peers() else { return [] }
        return (0..<list.len()).compactMap { list.at($0)?.name() }
    }

    private func serve(_ event: PeerlinkEvent) {
        // An answer fails if the caller has given up meanwhile.
        do {
            guard let body = lock.withLock({ functions[event.name()] }) else { return }
            let result = try encode(body(decode(event.data())))
            try? node.reply(event.callID(), cbor: result)
        } catch {
            let type = String(describing: Swift.type(of: error))
            try? node.replyError(event.callID(), errorType: type, message: error.localizedDescription)
        }
    }
}

/// The outcome of one call.
private final class Reply: NSObject, PeerlinkReplyHandlerProtocol {
    private let continuation: CheckedContinuation<String, Error>

    init(_ continuation: CheckedContinuation<String, Error>) {
        self.continuation = continuation
    }

    func onReply(_ cbor: Data?) throws {
        continuation.resume(with: Result { try decode(cbor) })
    }

    func onFail(_ code: Int32, message: String?) throws {
        continuation.resume(throwing: PeerLinkError(code: code, message: message ?? ""))
    }
}

private func encode(_ json: String) throws -> Data {
    var error: NSError?
    if let cbor = PeerlinkEncodeJSON(json, &error) { return cbor }
    throw PeerLinkError(code: PeerlinkCodeInvalid, message: error?.localizedDescription ?? "not JSON")
}

private func decode(_ cbor: Data?) throws -> String {
    var error: NSError?
    let json = PeerlinkDecodeJSON(cbor, &error)
    if let error { throw error }
    return json
}
