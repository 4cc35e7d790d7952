package mdns

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/netio"
)

// sim runs engines in virtual time on links in memory.
type sim struct {
	t     *testing.T
	now   time.Time
	nodes []*node
	sent  []frame // every multicast, in order
	drop  func(frame) bool
	queue []delivery
}

type frame struct {
	at   time.Time
	link string
	from *node
	msg  *dns.Msg
	size int
}

type delivery struct {
	to *node
	p  packet
}

func newSim(t *testing.T) *sim {
	return &sim{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// node is one engine and what its sink was told.
type node struct {
	*engine
	sim   *sim
	ifs   []netio.Interface // what the system shows; the name is that of the link
	wake  time.Time
	found []disco.Sighting
	lost  map[string]disco.Reason
	errs  []error
	uni   []frame
	dead  bool
}

func (n *node) Found(s disco.Sighting)             { n.found = append(n.found, s); delete(n.lost, s.Instance) }
func (n *node) Lost(name string, why disco.Reason) { n.lost[name] = why }
func (n *node) Renamed(string)                     {}
func (n *node) Failed(err error)                   { n.errs = append(n.errs, err) }
func (n *node) refresh()                           {}
func (n *node) join(netio.Interface, family) error { return nil }
func (n *node) leave(netio.Interface, family)      {}
func (n *node) unicast(_ netio.Interface, _ target, b []byte) {
	n.uni = append(n.uni, frame{at: n.sim.now, from: n, msg: decode(b), size: len(b)})
}

func (n *node) multicast(i netio.Interface, f family, b []byte) {
	s := n.sim
	m := decode(b)
	if m == nil {
		s.t.Fatalf("sent something that is not mDNS: %x", b)
	}
	fr := frame{s.now, i.Name, n, m, len(b)}
	s.sent = append(s.sent, fr)
	if s.drop != nil && s.drop(fr) {
		return
	}
	for _, to := range s.nodes {
		for _, j := range to.ifs {
			if j.Name == i.Name && !to.dead {
				p := packet{msg: decode(b), src: source(i, f), ifx: j.Index, group: true}
				s.queue = append(s.queue, delivery{to, p})
			}
		}
	}
}

func source(i netio.Interface, f family) netip.AddrPort {
	for _, p := range i.Addrs {
		if familyOf(p.Addr()) == f {
			return netip.AddrPortFrom(p.Addr(), port)
		}
	}
	return netip.AddrPort{}
}

func ethernet(index int, link string, addrs ...string) netio.Interface {
	i := netio.Interface{Index: index, Name: link, Flags: net.FlagUp | net.FlagMulticast | net.FlagRunning}
	for _, a := range addrs {
		i.Addrs = append(i.Addrs, netip.MustParsePrefix(a))
	}
	return i
}

func loopback() netio.Interface {
	i := ethernet(1, "lo", "127.0.0.1/8", "::1/128")
	i.Flags = net.FlagUp | net.FlagLoopback | net.FlagRunning
	return i
}

const testType = "_t._tcp"

func (s *sim) service(name, host string, port uint16) disco.Service {
	return disco.Service{Type: testType, Instance: name, Host: host, Port: port, TXT: []string{"node=" + name}}
}

func (s *sim) add(self disco.Service, ifs ...netio.Interface) *node {
	n := &node{sim: s, ifs: ifs, lost: map[string]disco.Reason{}, wake: s.now}
	env := disco.Env{
		Log:        slog.New(slog.NewTextHandler(io.Discard, nil)),
		Interfaces: func() ([]netio.Interface, error) { return n.ifs, nil },
	}
	n.engine = newEngine(env, self, n, n)
	s.nodes = append(s.nodes, n)
	return n
}

// run lets d pass.
func (s *sim) run(d time.Duration) {
	end := s.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 1_000_000 {
			s.t.Fatal("the simulation does not come to rest")
		}
		s.deliver()
		next := end
		for _, n := range s.nodes {
			if !n.dead {
				next = earlier(next, n.wake)
			}
		}
		if !next.Before(end) {
			s.now = end
			return
		}
		s.now = latest(s.now, next)
		for _, n := range s.nodes {
			if !n.dead && !n.wake.After(s.now) {
				n.wake = latest(n.tick(s.now), s.now.Add(minWake))
			}
		}
	}
}

func (s *sim) deliver() {
	for len(s.queue) > 0 {
		d := s.queue[0]
		s.queue = s.queue[1:]
		if d.to.dead {
			continue
		}
		d.to.receive(d.p, s.now)
		d.to.wake = latest(d.to.tick(s.now), s.now.Add(minWake))
	}
}

// do calls something on a node as its loop would.
func (n *node) do(f func(now time.Time)) {
	f(n.sim.now)
	n.wake = n.sim.now
	n.sim.deliver()
}

// last returns the newest sighting of an instance.
func (n *node) last(name string) disco.Sighting {
	for _, s := range slices.Backward(n.found) {
		if s.Instance == name {
			return s
		}
	}
	return disco.Sighting{}
}

func (n *node) sees(name string) bool {
	_, lost := n.lost[name]
	return !lost && n.last(name).Instance == name
}

func addrs(s disco.Sighting) []string {
	var out []string
	for _, a := range s.Addrs {
		out = append(out, a.String())
	}
	return out
}

func (s *sim) count(match func(frame) bool) (n int) {
	for _, f := range s.sent {
		if match(f) {
			n++
		}
	}
	return n
}
