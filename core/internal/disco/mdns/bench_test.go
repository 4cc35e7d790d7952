package mdns

import (
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/netio"
)

type nowhere struct{}

func (nowhere) refresh()                                  {}
func (nowhere) join(netio.Interface, family) error        { return nil }
func (nowhere) leave(netio.Interface, family)             {}
func (nowhere) multicast(netio.Interface, family, []byte) {}
func (nowhere) unicast(netio.Interface, target, []byte)   {}
func (nowhere) Found(disco.Sighting)                      {}
func (nowhere) Lost(string, disco.Reason)                 {}
func (nowhere) Renamed(string)                            {}
func (nowhere) Failed(error)                              {}

// BenchmarkAnnouncement is the cost of one announcement of a node that is known.
func BenchmarkAnnouncement(b *testing.B) {
	wire := golden(b, "mdns-02-announce")
	env := disco.Env{
		Log:        slog.New(slog.NewTextHandler(io.Discard, nil)),
		Interfaces: func() ([]netio.Interface, error) { return []netio.Interface{ethernet(2, "lan", "10.77.0.9/24")}, nil },
	}
	self := disco.Service{Type: "_peerlink._tcp", Instance: "Me", Host: "me", Port: 1}
	e := newEngine(env, self, nowhere{}, nowhere{})
	now := time.Now()
	e.tick(now)
	src := netip.MustParseAddrPort("10.77.0.1:5353")
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		e.receive(packet{msg: decode(wire), src: src, ifx: 2, group: true}, now)
		e.tick(now)
	}
}
