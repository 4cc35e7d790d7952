package peerlink

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
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

	// Logger gets what an operator may want to know. Nil discards it.
	Logger *slog.Logger

	// Handlers are registered before the node is announced, so that no call can
	// come too early for them. A value is whatever Handle takes.
	Handlers map[string]any

	// Hidden nodes find and call others, but are not announced.
	Hidden bool

	// Discovery finds peers; several backends work together. Nil is MDNS(). Not
	// nil but empty is none: the node knows only those given by AddPeer. A backend
	// serves one node.
	Discovery []Discovery

	// Interfaces lists the network interfaces to use. Nil is SystemInterfaces.
	Interfaces func() ([]Interface, error)

	// UDPPort and TCPPort are bound if they are not 0, or Start fails. If 0, the
	// ports that peerlink 1.x derives from the name are taken if they are free,
	// and any others if not; peers learn them by discovery.
	UDPPort, TCPPort uint16

	// Limits bounds what peers can make this node hold.
	Limits Limits
}

// Limits bounds what peers can make a node hold. Zero fields take the default.
type Limits struct {
	Peers        int // known peers (default 1024)
	CallsPerPeer int // requests of one peer being served (default 256)
	Handlers     int // requests being served in all (default 1024)
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
	if c.Discovery == nil {
		c.Discovery = []Discovery{MDNS()}
	}
	c.Limits.Peers = orDefault(c.Limits.Peers, 1024)
	c.Limits.CallsPerPeer = orDefault(c.Limits.CallsPerPeer, 256)
	c.Limits.Handlers = orDefault(c.Limits.Handlers, 1024)
	return c, nil
}

func orDefault(v, fallback int) int {
	if v <= 0 {
		return fallback
	}
	return v
}
