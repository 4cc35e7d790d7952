import Foundation
import Peerlink
import dnssd

/// Discovery by the system's Bonjour. It needs the user's consent to the local
/// network, but no multicast entitlement.
///
/// This is `<dns_sd.h>`, since NWListener can only announce a port that it listens on
/// itself. All state belongs to `queue`, on which the system calls back.
final class BonjourDiscovery: NSObject, PeerlinkDiscoveryProtocol {
    private let queue = DispatchQueue(label: "peerlink.bonjour")
    private var sink: PeerlinkDiscoverySinkProtocol?
    private var browser: DNSServiceRef?
    private var registration: DNSServiceRef?
    private var instances: [String: BonjourInstance] = [:]

    func browse(_ serviceType: String?, sink: PeerlinkDiscoverySinkProtocol?) throws {
        try queue.sync {
            self.sink = sink
            try check(DNSServiceBrowse(&browser, 0, 0, serviceType, nil, onBrowse, pointer(to: self)))
            try check(DNSServiceSetDispatchQueue(browser, queue))
        }
    }

    func advertise(_ serviceType: String?, name: String?, port: Int32, txt: Data?) throws {
        let txt = txt ?? Data()
        try queue.sync {
            try txt.withUnsafeBytes { bytes in
                if let registration {
                    try check(DNSServiceUpdateRecord(registration, nil, 0, UInt16(bytes.count), bytes.baseAddress, 0))
                    return
                }
                try check(DNSServiceRegister(
                    &registration, 0, 0, name, serviceType, nil, nil, UInt16(port).bigEndian,
                    UInt16(bytes.count), bytes.baseAddress, onRegister, pointer(to: self)))
                try check(DNSServiceSetDispatchQueue(registration, queue))
            }
        }
    }

    func stopAll() throws {
        queue.sync {
            instances.values.forEach { $0.close() }
            instances = [:]
            release(&browser)
            release(&registration)
            sink = nil
        }
    }

    /// An instance came or went on one interface; it counts as there while any has it.
    fileprivate func browsed(_ name: String, added: Bool) {
        if added {
            let instance = instances[name] ?? BonjourInstance(name: name, queue: queue)
            instances[name] = instance
            instance.interfaces += 1
            instance.changed = { [weak self, weak instance] in instance.map { self?.report($0) } }
        } else if let instance = instances[name] {
            instance.interfaces -= 1
            if instance.interfaces == 0 {
                instances[name] = nil
                instance.close()
                sink?.lost(name)
            }
        }
    }

    fileprivate func resolve(_ name: String, type: String, domain: String) {
        do {
            try instances[name]?.resolve(type: type, domain: domain)
        } catch {
            failed(error)
        }
    }

    private func report(_ i: BonjourInstance) {
        sink?.found(i.name, addrs: i.addresses.sorted().joined(separator: " "), port: i.port, ifIndex: 0, txt: i.txt)
    }

    fileprivate func registered(_ name: String) { sink?.registered(name) }

    fileprivate func failed(_ error: Error) {
        let code = (error as NSError).code == policyDenied ? PeerlinkCodePermission : PeerlinkCodeIO
        sink?.failed(code, message: error.localizedDescription)
    }
}

/// One instance, its addresses and what else is known of it. It belongs to the queue.
private final class BonjourInstance {
    let name: String
    var interfaces = 0
    var changed: () -> Void = {}
    private(set) var port: Int32 = 0
    private(set) var txt = Data()
    private(set) var addresses: Set<String> = []
    private let queue: DispatchQueue
    private var resolver: DNSServiceRef?
    private var lookup: DNSServiceRef?

    init(name: String, queue: DispatchQueue) {
        self.name = name
        self.queue = queue
    }

    func resolve(type: String, domain: String) throws {
        if resolver != nil { return }
        try check(DNSServiceResolve(&resolver, 0, 0, name, type, domain, onResolve, pointer(to: self)))
        try check(DNSServiceSetDispatchQueue(resolver, queue))
    }

    func resolved(host: UnsafePointer<CChar>?, port: Int32, txt: Data) {
        self.port = port
        self.txt = txt
        addresses = []
        release(&lookup)
        let protocols = DNSServiceProtocol(kDNSServiceProtocol_IPv4 | kDNSServiceProtocol_IPv6)
        if DNSServiceGetAddrInfo(&lookup, 0, 0, protocols, host, onAddress, pointer(to: self)) == 0 {
            DNSServiceSetDispatchQueue(lookup, queue)
        }
    }

    func address(_ text: String, added: Bool, more: Bool) {
        if added { addresses.insert(text) } else { addresses.remove(text) }
        if !more && !addresses.isEmpty { changed() }
    }

    func close() {
        release(&resolver)
        release(&lookup)
    }
}

// What the system calls, on the queue. The context is the object, which outlives its
// DNSServiceRef.

private let onBrowse: DNSServiceBrowseReply = { _, flags, _, error, name, type, domain, context in
    let discovery: BonjourDiscovery = object(context)
    guard error == 0, let name, let type, let domain else { return discovery.failed(bonjourError(error)) }
    let added = has(flags, kDNSServiceFlagsAdd)
    discovery.browsed(String(cString: name), added: added)
    if added { discovery.resolve(String(cString: name), type: String(cString: type), domain: String(cString: domain)) }
}

private let onRegister: DNSServiceRegisterReply = { _, _, error, name, _, _, context in
    let discovery: BonjourDiscovery = object(context)
    guard error == 0, let name else { return discovery.failed(bonjourError(error)) }
    discovery.registered(String(cString: name))
}

private let onResolve: DNSServiceResolveReply = { _, _, _, error, _, host, port, txtLength, txt, context in
    guard error == 0 else { return }
    let instance: BonjourInstance = object(context)
    let data = txt.map { Data(bytes: $0, count: Int(txtLength)) } ?? Data()
    instance.resolved(host: host, port: Int32(UInt16(bigEndian: port)), txt: data)
}

private let onAddress: DNSServiceGetAddrInfoReply = { _, flags, interface, error, _, address, _, context in
    guard error == 0, let address, let text = numeric(address, interface) else { return }
    let instance: BonjourInstance = object(context)
    instance.address(text, added: has(flags, kDNSServiceFlagsAdd), more: has(flags, kDNSServiceFlagsMoreComing))
}

/// The address as text; that of a link, with the number of the interface.
private func numeric(_ address: UnsafePointer<sockaddr>, _ interface: UInt32) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let length = socklen_t(address.pointee.sa_len)
    guard getnameinfo(address, length, &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
    let text = String(cString: buffer)
    guard let percent = text.firstIndex(of: "%") else { return text }
    return text[..<percent] + "%\(interface)"
}

private let policyDenied = -65570 // kDNSServiceErr_PolicyDenied

private func bonjourError(_ code: DNSServiceErrorType) -> NSError {
    NSError(domain: "dns_sd", code: Int(code), userInfo: [NSLocalizedDescriptionKey: "Bonjour error \(code)"])
}

private func check(_ code: DNSServiceErrorType) throws {
    if code != 0 { throw bonjourError(code) }
}

private func has(_ flags: DNSServiceFlags, _ flag: Int) -> Bool { flags & DNSServiceFlags(flag) != 0 }

private func release(_ ref: inout DNSServiceRef?) {
    if let ref { DNSServiceRefDeallocate(ref) }
    ref = nil
}

private func pointer(to object: AnyObject) -> UnsafeMutableRawPointer { Unmanaged.passUnretained(object).toOpaque() }

private func object<T: AnyObject>(_ context: UnsafeMutableRawPointer?) -> T {
    Unmanaged<T>.fromOpaque(context!).takeUnretainedValue()
}
