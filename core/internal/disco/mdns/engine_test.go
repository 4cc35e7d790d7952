package mdns

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/netio"
)

func two(t *testing.T) (*sim, *node, *node) {
	s := newSim(t)
	a := s.add(s.service("A", "pl-a", 1), ethernet(2, "lan", "10.0.0.1/24", "fe80::1/64"))
	b := s.add(s.service("B", "pl-b", 2), ethernet(5, "lan", "10.0.0.2/24", "fe80::2/64"))
	return s, a, b
}

func TestFoundAtOnce(t *testing.T) {
	s, a, b := two(t)
	s.run(100 * time.Millisecond)
	if got, want := addrs(a.last("B")), []string{"10.0.0.2:2", "[fe80::2%lan]:2"}; !slices.Equal(got, want) {
		t.Errorf("A sees B at %v, want %v", got, want)
	}
	if !b.sees("A") || len(b.errs) > 0 {
		t.Errorf("B sees %v, errors %v", b.found, b.errs)
	}
	found := len(a.found)
	s.run(time.Hour)
	if len(a.found) != found || len(a.lost) > 0 {
		t.Errorf("in a quiet hour: %v %v", a.found[found:], a.lost)
	}
}

// A quiet network stays nearly quiet.
func TestTraffic(t *testing.T) {
	s := newSim(t)
	for k := range 10 {
		s.add(s.service(fmt.Sprint("N", k), fmt.Sprint("h", k), 1), ethernet(2, "lan", fmt.Sprintf("10.0.0.%d/24", k+1)))
	}
	s.run(time.Minute)
	start := len(s.sent)
	s.run(10 * time.Minute)
	perMinute := float64(len(s.sent)-start) / 10
	t.Logf("10 nodes: %d messages in the first minute, then %.1f a minute", start, perMinute)
	if start > 400 || perMinute > 60 {
		t.Error("too much traffic")
	}
	for _, f := range s.sent {
		if f.size > 1472 {
			t.Errorf("message of %d bytes", f.size)
		}
	}
}

func TestGoodbye(t *testing.T) {
	s, a, b := two(t)
	s.run(5 * time.Second)
	b.do(func(time.Time) { b.goodbye() })
	b.dead = true
	s.run(150 * time.Millisecond)
	if a.lost["B"] != disco.Removed {
		t.Fatalf("lost = %v", a.lost)
	}
	if n := len(a.cache.instances); n != 1 || a.cache.records != a.countRecords() {
		t.Errorf("%d instances left, %d records counted, %d there", n, a.cache.records, a.countRecords())
	}
}

func (n *node) countRecords() (sum int) {
	n.cache.each(func(*record) { sum++ })
	return sum
}

func TestRestartIsNotLost(t *testing.T) {
	s, a, b := two(t)
	s.run(5 * time.Second)
	b.do(func(time.Time) { b.goodbye() })
	b.dead = true
	s.run(20 * time.Millisecond)
	s.add(s.service("B", "pl-b2", 9), ethernet(5, "lan", "10.0.0.2/24"))
	found := len(a.found)
	s.run(5 * time.Second)
	if len(a.lost) > 0 || !slices.Equal(addrs(a.last("B")), []string{"10.0.0.2:9"}) {
		t.Errorf("lost %v, found %v", a.lost, a.found[found:])
	}
	// The goodbye of the first start, arriving late, does not end the second.
	b.dead = false
	b.do(func(time.Time) { b.goodbye() })
	b.dead = true
	s.run(5 * time.Second)
	if len(a.lost) > 0 {
		t.Errorf("a stale goodbye counted: %v", a.lost)
	}
}

func TestExpiry(t *testing.T) {
	s, a, b := two(t)
	s.run(time.Minute)
	b.dead = true
	died := s.now
	for a.sees("B") && s.now.Sub(died) < 10*time.Minute {
		s.run(time.Second)
	}
	if d := s.now.Sub(died); a.lost["B"] != disco.Expired || d > maxTTL+time.Second {
		t.Errorf("lost = %v after %v", a.lost, d)
	}
	s.run(time.Minute)
	if len(a.cache.instances) != 1 || len(a.cache.hosts) != 1 || len(a.missing) != 0 {
		t.Errorf("remembers %v %v %v", a.cache.instances, a.cache.hosts, a.missing)
	}
	b.dead = false
	b.wake = s.now
	b.do(b.networkChanged)
	s.run(time.Second)
	if !a.sees("B") {
		t.Error("not found again")
	}
}

func TestReconfirm(t *testing.T) {
	s, a, b := two(t)
	s.run(10 * time.Second)
	a.do(func(now time.Time) { a.reconfirm("B", now) })
	s.run(5 * time.Second)
	if !a.sees("B") {
		t.Fatal("a live node was lost")
	}
	b.dead = true
	a.do(func(now time.Time) { a.reconfirm("B", now) })
	s.run(2600 * time.Millisecond)
	if a.lost["B"] != disco.Expired {
		t.Errorf("lost = %v", a.lost)
	}
}

// One of three answers is enough.
func TestReconfirmWithLoss(t *testing.T) {
	s, a, _ := two(t)
	s.run(10 * time.Second)
	from := s.now
	s.drop = func(f frame) bool { return s.now.Sub(from) < 1500*time.Millisecond }
	a.do(func(now time.Time) { a.reconfirm("B", now) })
	s.run(5 * time.Second)
	if !a.sees("B") {
		t.Error("lost although it answered the third question")
	}
}

func TestUpdate(t *testing.T) {
	s, a, b := two(t)
	for n := range 5 { // also while it still probes
		txt := []string{"node=B", fmt.Sprint("hb=", n)}
		b.do(func(now time.Time) { b.update(txt, now) })
		s.run(220 * time.Millisecond)
		if got := a.last("B").TXT; !slices.Equal(got, txt) {
			t.Errorf("TXT = %q, want %q", got, txt)
		}
	}
}

func TestLoss(t *testing.T) {
	s, a, b := two(t)
	r := rand.New(rand.NewPCG(1, 2))
	s.drop = func(frame) bool { return r.Float64() < 0.4 }
	s.run(20 * time.Second)
	if !a.sees("B") || !b.sees("A") {
		t.Error("not found with 40 % loss")
	}
	s.run(20 * time.Minute)
	if !a.sees("B") || !b.sees("A") {
		t.Errorf("forgotten with 40 %% loss: %v %v", a.lost, b.lost)
	}
}

// A node whose announcements all got lost is found by asking.
func TestDeafStart(t *testing.T) {
	s, a, b := two(t)
	s.drop = func(f frame) bool { return f.from == b }
	s.run(20 * time.Second)
	s.drop = nil
	s.run(queryMax)
	if !a.sees("B") {
		t.Error("not found")
	}
}

func TestConflict(t *testing.T) {
	s := newSim(t)
	lan := func(k int) netio.Interface { return ethernet(2, "lan", fmt.Sprintf("10.0.0.%d/24", k)) }
	w := s.add(s.service("W", "pl-w", 9), lan(9))
	first := s.add(s.service("Dup", "pl-1", 1), lan(1))
	s.run(5 * time.Second)
	second := s.add(s.service("Dup", "pl-zz", 2), lan(2)) // would win the tie-break
	s.run(5 * time.Second)
	if !strings.HasPrefix(first.pub.full, "Dup.") || !strings.HasPrefix(second.pub.full, `Dup\ \(2\).`) {
		t.Fatalf("names: %q %q", first.pub.full, second.pub.full)
	}
	if got := w.last("Dup"); !slices.Equal(addrs(got), []string{"10.0.0.1:1"}) {
		t.Errorf("Dup at %v", got.Addrs)
	}
	if got := w.last("Dup (2)"); !slices.Equal(addrs(got), []string{"10.0.0.2:2"}) || got.TXT[0] != "node=Dup" {
		t.Errorf("Dup (2): %v", got)
	}
	if len(w.lost) > 0 {
		t.Errorf("lost %v", w.lost)
	}
	s.add(s.service("Dup", "pl-3", 3), lan(3))
	s.run(5 * time.Second)
	if !w.sees("Dup (3)") {
		t.Error("no third one")
	}
}

func TestConflictAtOnce(t *testing.T) {
	s := newSim(t)
	w := s.add(s.service("W", "pl-w", 9), ethernet(2, "lan", "10.0.0.9/24"))
	for k := range 5 {
		s.add(s.service("Dup", fmt.Sprint("pl-", k), 1), ethernet(2, "lan", fmt.Sprintf("10.0.0.%d/24", k+1)))
	}
	s.run(20 * time.Second)
	seen := map[string]bool{}
	for k := range 5 {
		name := "Dup"
		if k > 0 {
			name = fmt.Sprintf("Dup (%d)", k+1)
		}
		if !w.sees(name) {
			t.Errorf("%q is missing", name)
		}
		seen[fmt.Sprint(w.last(name).Addrs)] = true
	}
	if len(seen) != 5 {
		t.Errorf("addresses: %v", seen)
	}
}

// Two networks are joined: the tie-break decides, once.
func TestConflictAfterJoin(t *testing.T) {
	s := newSim(t)
	a := s.add(s.service("Dup", "pl-a", 1), ethernet(2, "left", "10.0.0.1/24"))
	b := s.add(s.service("Dup", "pl-b", 1), ethernet(2, "right", "10.0.0.2/24"))
	s.run(10 * time.Second)
	b.ifs = append(b.ifs, ethernet(3, "left", "10.0.0.3/24"))
	s.run(20 * time.Second)
	if a.pub.full == b.pub.full {
		t.Errorf("both are %q", a.pub.full)
	}
	if a.pub.number+b.pub.number != 3 {
		t.Errorf("numbers %d and %d", a.pub.number, b.pub.number)
	}
}

// Somebody who takes every name we try is not answered with a storm.
func TestConflictRateLimit(t *testing.T) {
	s := newSim(t)
	a := s.add(s.service("A", "pl-a", 1), ethernet(2, "lan", "10.0.0.1/24"))
	for range 3000 { // 30 s
		s.run(10 * time.Millisecond)
		srv := &dns.SRV{Hdr: header(a.pub.full, dns.TypeSRV, 120), Target: "evil.local.", Port: 1}
		a.receive(packet{msg: response([]dns.RR{srv}), src: netip.MustParseAddrPort("10.0.0.66:5353"), ifx: 2, group: true}, s.now)
		a.wake = s.now
	}
	if n := a.pub.number; n < 10 || n > 30 {
		t.Errorf("renamed %d times in 30 s", n)
	}
	if len(s.sent) > 600 {
		t.Errorf("%d messages", len(s.sent))
	}
	if len(a.pub.rivals) > maxRivals || len(a.pub.conflicts) > conflictLimit {
		t.Error("a table grew")
	}
}

func TestInterfaces(t *testing.T) {
	s := newSim(t)
	a := s.add(s.service("A", "pl-a", 1))
	b := s.add(s.service("B", "pl-b", 2), ethernet(5, "lan", "10.0.0.2/24"))
	s.run(5 * time.Second)
	if len(a.errs) != 1 {
		t.Errorf("errors: %v, want one", a.errs)
	}
	a.ifs = []netio.Interface{ethernet(7, "lan", "10.0.0.1/24")}
	s.run(scanEvery + 100*time.Millisecond)
	if !a.sees("B") || !b.sees("A") {
		t.Fatal("not found after the interface came up")
	}
	a.ifs = []netio.Interface{ethernet(7, "lan", "10.0.0.77/24")}
	s.run(scanEvery + 2*time.Second)
	if got := addrs(b.last("A")); !slices.Equal(got, []string{"10.0.0.77:1"}) {
		t.Errorf("A is at %v after its address changed", got)
	}
	a.ifs = nil
	s.run(scanEvery + ifaceGrace + time.Second)
	if a.lost["B"] != disco.Expired || len(a.errs) != 2 {
		t.Errorf("lost %v, errors %v", a.lost, a.errs)
	}
}

// While nobody listened the cable was out: its return is an occasion to announce.
func TestCarrier(t *testing.T) {
	s, a, b := two(t)
	up := b.ifs[0]
	down := up
	down.Flags &^= net.FlagRunning
	b.ifs[0] = down
	s.drop = func(f frame) bool { return f.from == b || b.ifs[0].Flags&net.FlagRunning == 0 }
	s.run(30 * time.Second)
	s.drop, b.ifs[0] = nil, up
	s.run(scanEvery + 100*time.Millisecond)
	if !a.sees("B") || !b.sees("A") {
		t.Error("not found after the cable was plugged in")
	}
}

func TestLoopbackAddresses(t *testing.T) {
	s := newSim(t)
	lan := ethernet(2, "lan", "192.168.1.5/24", "127.0.0.9/8")
	a := s.add(s.service("A", "pl-a", 1), loopback(), lan)
	b := s.add(s.service("B", "pl-b", 2), loopback(), lan)
	s.run(3 * time.Second)
	want := []string{"192.168.1.5:2", "127.0.0.1:2", "[::1]:2"}
	if got := addrs(a.last("B")); !slices.Equal(got, want) {
		t.Errorf("on the same host: %v, want %v", got, want)
	}
	for _, f := range s.sent {
		for _, rr := range f.msg.Answer {
			if x, ok := rr.(*dns.A); ok && x.A.IsLoopback() != (f.link == "lo") {
				t.Fatalf("%v announced on %s", x.A, f.link)
			}
		}
	}
	_ = b
}

func TestSourceCheck(t *testing.T) {
	s := newSim(t)
	a := s.add(s.service("A", "pl-a", 1), ethernet(2, "lan", "10.0.0.1/24"))
	s.run(time.Second)
	for _, c := range []struct {
		src   string
		ifx   int
		group bool
		want  bool
	}{
		{"10.0.0.9:5353", 2, false, true},
		{"10.0.0.9:5353", 0, false, true}, // the system does not say where from
		{"10.9.9.9:5353", 2, true, true},  // §11: the group is always on the link
		{"10.9.9.9:5353", 2, false, false},
		{"10.9.9.9:5353", 0, false, false},
		{"10.0.0.9:5354", 2, true, false},
		{"10.0.0.9:5353", 3, true, false}, // not an interface of ours
	} {
		a.found = nil
		name := fmt.Sprint("N", rand.Uint32())
		m := announcement(name, 5)
		a.receive(packet{msg: m, src: netip.MustParseAddrPort(c.src), ifx: c.ifx, group: c.group}, s.now)
		if got := a.sees(name); got != c.want {
			t.Errorf("%+v: accepted = %v", c, got)
		}
	}
}

func announcement(name string, p uint16) *dns.Msg {
	n := newNames(disco.Service{Instance: name, Host: "h-" + name, Port: p, TXT: []string{"a=b"}}, testType+"."+domain)
	return response(n.records(kService, []netip.Addr{netip.MustParseAddr("10.0.0.9")}))
}

// A flood neither fills the memory nor pushes out who is known, nor lasts.
func TestFlood(t *testing.T) {
	s, a, _ := two(t)
	s.run(5 * time.Second)
	sent := len(s.sent)
	for k := range 20000 {
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(k % 200)}), port)
		a.receive(packet{msg: announcement(fmt.Sprint("F", k), 5), src: src, ifx: 2, group: true}, s.now)
	}
	c := a.cache
	if len(c.instances) > maxInstances || c.records > maxRecords || c.records != a.countRecords() {
		t.Errorf("%d instances, %d records", len(c.instances), c.records)
	}
	if !a.sees("B") {
		t.Error("B was pushed out")
	}
	s.run(3 * time.Minute)
	if !a.sees("B") || len(c.instances) != 2 || c.records != a.countRecords() || len(c.owned) > 2 {
		t.Errorf("afterwards %d instances, %d records, %d sources", len(c.instances), c.records, len(c.owned))
	}
	t.Logf("%d messages sent meanwhile", len(s.sent)-sent)
	if len(s.sent)-sent > 3000 {
		t.Error("it made us flood")
	}
}

func TestFloodOfOneSource(t *testing.T) {
	s, a, _ := two(t)
	s.run(5 * time.Second)
	for k := range 2000 {
		a.receive(packet{msg: announcement(fmt.Sprint("F", k), 5), src: netip.MustParseAddrPort("10.0.0.66:5353"), ifx: 2, group: true}, s.now)
	}
	a.receive(packet{msg: announcement("Honest", 5), src: netip.MustParseAddrPort("10.0.0.7:5353"), ifx: 2, group: true}, s.now)
	if n := len(a.cache.instances); n > maxInstancesSource+3 || !a.sees("Honest") {
		t.Errorf("%d instances, Honest seen: %v", n, a.sees("Honest"))
	}
}

// Names without anything behind them are asked for, with measure, and forgotten.
func TestFloodOfNames(t *testing.T) {
	s, a, _ := two(t)
	s.run(5 * time.Second)
	sent := len(s.sent)
	for k := range maxInstances {
		m := response([]dns.RR{&dns.PTR{Hdr: header(a.typ, dns.TypePTR, 4500), Ptr: fmt.Sprint("F", k, ".", a.typ)}})
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(k % 200)}), port)
		a.receive(packet{msg: m, src: src, ifx: 2, group: true}, s.now)
	}
	a.wake = s.now
	s.run(30 * time.Second)
	if len(a.cache.instances) != 2 || len(a.missing) > 0 || len(s.sent)-sent > 800 {
		t.Errorf("%d instances left, %d missing, %d messages", len(a.cache.instances), len(a.missing), len(s.sent)-sent)
	}
}

func TestHidden(t *testing.T) {
	s := newSim(t)
	self := s.service("Eyes", "", 0)
	self.Hidden = true
	a := s.add(self, ethernet(2, "lan", "10.0.0.1/24"))
	b := s.add(s.service("B", "pl-b", 2), ethernet(2, "lan", "10.0.0.2/24"))
	s.run(time.Minute)
	a.do(func(now time.Time) { a.update([]string{"x"}, now) })
	if !a.sees("B") || b.sees("Eyes") || a.goodbye() {
		t.Error("a hidden node sees and is not seen")
	}
	if n := s.count(func(f frame) bool { return f.from == a && f.msg.Response }); n > 0 {
		t.Errorf("it answered %d times", n)
	}
}

func TestMany(t *testing.T) {
	s := newSim(t)
	for k := range 40 {
		s.add(s.service(fmt.Sprint("N", k), fmt.Sprint("h", k), 1), ethernet(2, "lan", fmt.Sprintf("10.0.0.%d/24", k+1)))
	}
	s.run(5 * time.Second)
	late := s.add(s.service("Late", "late", 1), ethernet(2, "lan", "10.0.0.200/24"))
	s.run(time.Second)
	if n := len(late.cache.instances); n != 41 {
		t.Errorf("the late one sees %d", n)
	}
	start := len(s.sent)
	s.run(5 * time.Minute)
	t.Logf("41 nodes: %.0f messages a minute", float64(len(s.sent)-start)/5)
	if got := len(late.lost); got > 0 {
		t.Errorf("lost %d", got)
	}
}
