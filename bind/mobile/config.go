package peerlink

// A Config is what a Node is made from. Set it up on one thread; NewNode copies it.
type Config struct {
	name       string
	discovery  Discovery
	interfaces Interfaces
	lock       MulticastLock
	logger     Logger
}

// NewConfig returns the configuration of a node that its peers address as name:
// 1 to 63 bytes of UTF-8, unique on the network.
func NewConfig(name string) *Config { return &Config{name: name} }

// SetDiscovery replaces the library's own mDNS by what the system offers. Without
// the multicast entitlement it is required on iOS, and on Android it works on
// devices whose Wi-Fi drops multicast.
func (c *Config) SetDiscovery(d Discovery) {
	if c != nil {
		c.discovery = d
	}
}

// SetInterfaces tells where the list of network interfaces comes from. Android
// requires it, since version 11 hides the list from native code.
func (c *Config) SetInterfaces(i Interfaces) {
	if c != nil {
		c.interfaces = i
	}
}

// SetMulticastLock sets a lock that is held while the node runs.
func (c *Config) SetMulticastLock(l MulticastLock) {
	if c != nil {
		c.lock = l
	}
}

// SetLogger sets who gets the log. Without one there is no log.
func (c *Config) SetLogger(l Logger) {
	if c != nil {
		c.logger = l
	}
}
