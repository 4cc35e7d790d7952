import SwiftUI

/// Phone1 and Phone2: the same app on two phones. Each lists the others, and lets
/// them call add; a tap on a name calls add(25, 17) there.
@main
struct PeerLinkSampleApp: App {
    @StateObject private var model = PhoneModel()
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup { PhoneView(model: model) }
            .onChange(of: phase) { phase in
                if phase != .inactive { model.visible(phase == .active) }
            }
    }
}

struct PhoneView: View {
    @ObservedObject var model: PhoneModel

    var body: some View {
        NavigationView {
            List {
                Section("Peers") {
                    ForEach(model.peers, id: \.self) { peer in
                        Button(peer) { Task { await model.callAdd(on: peer) } }
                    }
                }
                Section("Log") { Text(model.log) }
            }
            .navigationTitle(model.name)
        }
    }
}
