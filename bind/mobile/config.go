package peerlink

import core "github.com/peerlink/peerlink/core"

// A Config is what a Node is made from. Set it up on one thread; NewNode copies it.
type Config struct {
	name       string
	discovery  Discovery
	interfaces Interfaces
	lock       MulticastLock
	logger     Logger
	secret     string
	stateDir   string
	compat     core.Compat
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

// SetSecret makes the node one of those that share the secret: they authenticate each
// other, and nobody else can find, call or overhear them. Best is one of NewSecret; any
// other text, of at most 1024 bytes, makes Start take some 0.1 s and 64 MiB. Without
// one, or with "", traffic is encrypted, but anybody on the network may take part. No
// error and no line of the log holds it.
func (c *Config) SetSecret(secret string) {
	if c != nil {
		c.secret = secret
	}
}

// SetStateDir names a directory of the application's own that keeps the key of the
// node, so that its fingerprint stays the same over restarts. It is made if need be.
// Without one the node has a new key with each Start.
func (c *Config) SetStateDir(dir string) {
	if c != nil {
		c.stateDir = dir
	}
}

// SetAllowLegacy says whether to speak with Python peerlink 1.x nodes, which neither
// encrypt nor authenticate. By default a node does if it has no secret. With a secret
// and a Discovery of the application's, nodes of 1.x are not found: AddPeer names them.
func (c *Config) SetAllowLegacy(allow bool) {
	if c == nil {
		return
	}
	c.compat = core.CompatOff
	if allow {
		c.compat = core.CompatOn
	}
}

// NewSecret makes a secret that cannot be guessed: "plk1_" and 43 characters.
func NewSecret() (secret string) {
	defer guard("new secret")
	return core.NewSecret()
}
