package peerlink

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/netio"
)

// Version is the version of this library.
const Version = "2.0.0-alpha.1"

// DefaultTimeout bounds a call whose context has no deadline.
const DefaultTimeout = 5 * time.Second

// Config describes one node. The zero value plus a Name is a working node. A
// Config may be reused; Start copies it.
type Config struct {
	// Name is how peers address this node: 1 to 63 bytes of UTF-8 without
	// control characters. If another node has it already, this one is announced as
	// "Name (2)"; see AnnouncedName.
	Name string

	// Secret makes a realm of the nodes that share it: they authenticate each other,
	// and nobody else can find, call or overhear them. Best is one of NewSecret; a
	// text of one's own is protected by Argon2id, which takes some 0.1 s and 64 MiB at
	// the start. Empty is the open realm: traffic is encrypted, but anybody on the
	// network may take part.
	Secret string

	// StateDir keeps the key of the node, so that its Fingerprint survives a restart. It
	// is made if need be, readable by the owner only, and belongs to one node. Empty: a
	// new key with each start.
	StateDir string

	// Allow, if not empty, lists the keys of the only nodes that may talk to this one.
	// Nodes of 1.x have no keys: with CompatOn they may call all the same.
	Allow []Fingerprint

	// Compat says how to treat PyPI peerlink 1.x nodes.
	Compat Compat

	// Logger gets what an operator may want to know. Nil discards it.
	Logger *slog.Logger

	// Handlers are registered before the node is announced, so that no call can
	// come too early for them. A value is whatever Handle takes.
	Handlers map[string]any

	// Hidden nodes find and call others, but are not announced.
	Hidden bool

	// Discovery finds peers; several backends work together. Nil is MDNS(). Not
	// nil but empty is none: the node knows only those given by AddPeer. A backend
	// serves one node. With CompatOn and a Secret, nodes of 1.x are found only if this
	// is nil.
	Discovery []Discovery

	// Interfaces lists the network interfaces to use. Nil is SystemInterfaces.
	Interfaces func() ([]Interface, error)

	// UDPPort and TCPPort are bound if they are not 0, or Start fails. If 0, the
	// ports that peerlink 1.x derives from the name are taken if they are free,
	// and any others if not; peers learn them by discovery.
	UDPPort, TCPPort uint16

	// Limits bounds what peers can make this node hold.
	Limits Limits

	network netio.Network // nil is the machine's; tests have others
}

// Compat says how to treat PyPI peerlink 1.x nodes, which neither encrypt nor
// authenticate.
type Compat uint8

const (
	CompatDefault Compat = iota // CompatOff if there is a Secret or an Allow, else CompatOn
	CompatOff                   // do not speak with them
	CompatOn                    // find them, call them, and let them call
)

// Limits bounds what peers can make a node hold. Zero fields take the default.
type Limits struct {
	Peers        int // known peers (default 1024)
	CallsPerPeer int // requests of one peer being served (default 256)
	Handlers     int // requests being served in all (default 1024)
	Message      int // bytes of the arguments or the result of one call (default 16 MiB)
	BytesPerPeer int // bytes of arguments and results of one peer that are still coming (default 32 MiB)
}

// withDefaults checks c and fills in what is missing.
func (c Config) withDefaults() (Config, error) {
	if !disco.ValidName(c.Name) {
		return c, &Error{Code: CodeInvalid, Op: "start", Err: fmt.Errorf(
			"a node name is 1 to %d bytes of UTF-8 without control characters, not %q", disco.MaxName, c.Name)}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Interfaces == nil {
		c.Interfaces = SystemInterfaces
	}
	if len(c.Secret) > maxSecret {
		return c, &Error{Code: CodeInvalid, Op: "start", Err: fmt.Errorf("a secret has at most %d bytes", maxSecret)}
	}
	if c.Compat == CompatDefault {
		c.Compat = CompatOn
		if c.Secret != "" || len(c.Allow) > 0 {
			c.Compat = CompatOff
		}
	}
	if c.network == nil {
		c.network = netio.Host{}
	}
	c.Limits.Peers = orDefault(c.Limits.Peers, 1024)
	c.Limits.CallsPerPeer = orDefault(c.Limits.CallsPerPeer, 256)
	c.Limits.Handlers = orDefault(c.Limits.Handlers, 1024)
	c.Limits.Message = min(orDefault(c.Limits.Message, 16<<20), maxMessage)
	c.Limits.BytesPerPeer = orDefault(c.Limits.BytesPerPeer, 32<<20)
	return c, nil
}

// maxMessage keeps lengths within an int of 32 bits.
const maxMessage = 1 << 30

func orDefault(v, fallback int) int {
	if v <= 0 {
		return fallback
	}
	return v
}
