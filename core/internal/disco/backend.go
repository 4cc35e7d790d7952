// Package disco finds other nodes. Backends (mDNS, static addresses, or one that
// the application injects) report sightings; the Table turns them into peers.
//
// A sighting is a hint: anybody on the network can forge one.
package disco

import (
	"log/slog"
	"net/netip"

	"github.com/peerlink/peerlink/core/internal/netio"
)

// A Service is what a node announces: one instance of a DNS-SD service (RFC 6763).
type Service struct {
	Type     string   // "_peerlink._tcp", without the domain
	Instance string   // the node's name, 1 to 63 bytes of UTF-8
	Host     string   // label of the host name; unique per start, never the machine's own
	Port     uint16   // what SRV says: the UDP port
	TXT      []string // "key=value", in this order
	Hidden   bool     // find others, announce nothing
}

// A Sighting is what one announcement said.
type Sighting struct {
	Instance string
	Addrs    []netip.AddrPort // IPv4 before IPv6; link-local IPv6 carries its zone
	TXT      []string
}

// A Reason says why a node is gone. The values are those of peerlink 1.x's on_down.
type Reason string

const (
	Removed Reason = "removed" // it said goodbye
	Expired Reason = "expired" // it went silent
)

// A Sink takes what a backend sees. Its methods return at once, and may be called
// from several goroutines.
type Sink interface {
	// Found reports a new instance, or a change of its addresses, port or TXT.
	Found(s Sighting)
	// Lost reports that an instance said goodbye or was not heard from for too long.
	Lost(instance string, why Reason)
	// Renamed reports that the name of our own service was taken, and under which
	// it is announced instead. The TXT strings are still the old ones.
	Renamed(instance string)
	// Failed reports that the backend sees nothing at present, and why.
	Failed(err error)
}

// Env is what a backend gets from the node.
type Env struct {
	Log *slog.Logger // never nil
	// Interfaces lists the interfaces to use. It can be called at any time, and
	// its result changes when the network does.
	Interfaces func() ([]netio.Interface, error)
}

// A Backend announces one service and looks for others of the same type.
type Backend interface {
	// Start announces self, unless it is Hidden, and reports others to sink. It
	// does not wait for the network: a backend that has no interface yet starts
	// all the same and joins when one appears. It is called once.
	//
	// A backend also reports what is its own; the Table knows the difference.
	Start(env Env, self Service, sink Sink) error
	// Update replaces the TXT strings and announces them.
	Update(txt []string)
	// Reconfirm is called when the instance does not answer any more. The backend
	// asks for it, and reports it Lost within 3 s unless somebody answers. A
	// backend that cannot ask does nothing.
	Reconfirm(instance string)
	// NetworkChanged says that interfaces came, went or changed their addresses.
	NetworkChanged()
	// Close says goodbye and returns when all that Start began has ended. No
	// method of the sink is called after it has returned.
	Close() error
}
