package peerlink

// The interfaces in this file are implemented by the application, most of them
// with a few lines around what the system offers; the samples have them ready.
//
// All their methods can return an error. gobind takes the exception of a Java
// method only if it can: else the exception stays pending on the thread, and comes
// out of a later call that has nothing to do with it.

// Discovery is DNS service discovery (RFC 6763) by the system: NsdManager on
// Android, Bonjour on iOS. Its methods are called one at a time, and may block.
// An error they return, or an exception they throw, counts as Failed with CodeIO.
type Discovery interface {
	// Browse looks for instances of serviceType, this node's own among them, and
	// reports them to sink until StopAll. It is called before Advertise, whose
	// outcome goes to the same sink.
	Browse(serviceType string, sink DiscoverySink) error
	// Advertise announces the service: serviceType such as "_peerlink._tcp"
	// without a domain, the name of the instance, the port, and txt in the form
	// of DNS: strings of 1 to 255 bytes, each behind its length. Called again
	// before StopAll, only txt has changed. A system that can only do that by
	// withdrawing the service first should leave it as it is.
	Advertise(serviceType, name string, port int32, txt []byte) error
	// StopAll ends Advertise and Browse. They may be called again after it: when
	// the network changed, both are started afresh.
	StopAll() error
}

// DiscoverySink takes what a Discovery sees. The library implements it. Its
// methods return at once, can be called on any thread, and do nothing once the
// node has stopped.
type DiscoverySink interface {
	// Found reports an instance, or that it changed. addrs holds all its IP
	// addresses, with spaces between. ifIndex, or 0, is the interface it was seen
	// on: link-local IPv6 addresses need it, unless they carry a zone. txt is in
	// the form of DNS, as for Advertise, and may be empty.
	Found(name, addrs string, port, ifIndex int32, txt []byte)
	// Lost reports that an instance is gone.
	Lost(name string)
	// Registered reports the name that the service has got. It is not the one
	// asked for if the system renamed it because that was taken.
	Registered(name string)
	// Failed reports that nothing is announced or found at present, and why: one
	// of the Code constants, and a text for the log. CodePermission stands for a
	// user who denied the local network. The application gets it as
	// EventDiscoveryFailed.
	Failed(code int32, message string)
}

// Interfaces lists the network interfaces.
type Interfaces interface {
	// InterfacesJSON returns an array of
	//
	//	{"index":3, "name":"wlan0", "up":true, "multicast":true, "loopback":false,
	//	 "pointToPoint":false, "addrs":["192.168.1.5/24", "fe80::1/64"]}
	//
	// A member left out is false. Those that nodes cannot meet on, such as VPNs, may
	// be in the list. An entry that cannot be read is left out and counted in the log.
	InterfacesJSON() (string, error)
}

// MulticastLock is Android's WifiManager.MulticastLock. Without it, Wi-Fi drops
// multicast while the screen is off, on some devices always.
type MulticastLock interface {
	// Lock is called in Start. If it fails, the node starts all the same.
	Lock() error
	// Unlock is called once for every Lock that succeeded, in Stop.
	Unlock() error
}

// Levels of a Logger.
const (
	LogInfo  int32 = 0
	LogWarn  int32 = 4
	LogError int32 = 8
)

// Logger takes the log: one line at a time, without its end. Lines come in order
// on one thread; when it is too slow, lines are dropped and counted.
type Logger interface {
	Log(level int32, line string) error
}
