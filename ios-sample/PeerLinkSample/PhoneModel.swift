import Foundation
import UIKit

/// What the view shows, and the node behind it.
@MainActor
final class PhoneModel: ObservableObject {
    @Published private(set) var peers: [String] = []
    @Published private(set) var log = ""

    let name = UIDevice.current.name
    private let node: PeerLinkNode

    init() {
        node = PeerLinkNode(name: String(name.prefix(20)))
        node.onPeers = { [weak self] names in self?.peers = names }
        node.onTrouble = { [weak self] _, text in self?.log = text }
        do {
            try node.handle("add") { arguments in
                let numbers = try JSONDecoder().decode([Int].self, from: Data(arguments.utf8))
                return String(numbers.reduce(0, +))
            }
        } catch {
            log = error.localizedDescription
        }
    }

    /// iOS takes the sockets of a suspended app away, so the node ends before that.
    func visible(_ visible: Bool) {
        if visible {
            node.start()
            return
        }
        let app = UIApplication.shared
        let task = app.beginBackgroundTask()
        node.stop { Task { @MainActor in app.endBackgroundTask(task) } }
    }

    func callAdd(on peer: String) async {
        do {
            log = try await "25 + 17 = \(node.call(peer, "add", "[25, 17]")), says \(peer)"
        } catch {
            log = error.localizedDescription
        }
    }
}
