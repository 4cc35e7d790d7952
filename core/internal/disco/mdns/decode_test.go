package mdns

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco"
)

// golden returns a datagram of a real PeerLink 1.x node.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// browser returns an engine that browses for PeerLink nodes.
func browser(t *testing.T) (*sim, *node) {
	s := newSim(t)
	n := s.add(disco.Service{Type: "_peerlink._tcp", Instance: "Watcher", Host: "w", Port: 1}, ethernet(2, "lan", "10.77.0.9/24"))
	s.run(time.Second)
	return s, n
}

func (n *node) feed(b []byte, src string) {
	if m := decode(b); m != nil {
		n.receive(packet{msg: m, src: netip.MustParseAddrPort(src), ifx: 2, group: true}, n.sim.now)
		n.wake = n.sim.now
	}
}

func TestGoldenAnnouncements(t *testing.T) {
	phone1 := []string{"node=Phone1", "port=58988", "tcp_port=55180", "version=1.1.1", "instance_id=fb10ab07-7199-4aec-9395-5ab0dc18178c"}
	for _, c := range []struct {
		file, instance, addr string
		txt                  []string
	}{
		{"mdns-02-announce", "Phone1", "10.77.0.1:58988", phone1},
		{"mdns-03-multicast-response", "Phone1", "10.77.0.1:58988", phone1},
		{"mdns-04-unicast-response", "Phone1", "10.77.0.1:58988", phone1},
		{"mdns-07-announce-native-async", "Asynative", "10.77.0.2:55480", []string{"node=Asynative", "port=55480", "instance_id=a31d2233-0336-43a4-954f-ad714b741b0b"}},
		{"mdns-08-announce-v120", "Srv1211", "10.77.0.1:62215", []string{"node=Srv1211", "udp_port=62215", "tcp_port=52518", "instance_id=95ae26b0-a8f9-421b-b709-67a72d49d784"}},
	} {
		_, n := browser(t)
		n.found = nil
		n.feed(golden(t, c.file), "10.77.0.1:5353")
		if len(n.found) != 1 {
			t.Errorf("%s: %v", c.file, n.found)
			continue
		}
		got := n.found[0]
		if got.Instance != c.instance || !slices.Equal(addrs(got), []string{c.addr}) || !slices.Equal(got.TXT, c.txt) {
			t.Errorf("%s: %+v", c.file, got)
		}
	}
}

func TestGoldenGoodbye(t *testing.T) {
	s, n := browser(t)
	m := decode(golden(t, "mdns-05-goodbye"))
	for _, rr := range m.Answer {
		rr.Header().Ttl = 120
	}
	alive, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	n.feed(alive, "10.77.0.2:5353")
	if !n.sees("Phone2") {
		t.Fatal("not found")
	}
	n.feed(golden(t, "mdns-05-goodbye"), "10.77.0.2:5353")
	s.run(200 * time.Millisecond)
	if n.lost["Phone2"] != disco.Removed {
		t.Errorf("lost = %v", n.lost)
	}
}

// A TXT record alone updates a node that is known, and is nothing otherwise.
func TestGoldenHeartbeat(t *testing.T) {
	_, n := browser(t)
	n.found = nil
	n.feed(golden(t, "mdns-10-update-heartbeat"), "10.77.0.3:5353")
	if len(n.found) != 0 || len(n.cache.instances) != 1 {
		t.Errorf("found %v", n.found)
	}
	names := newNames(disco.Service{Instance: "GoPeer", Host: "h", Port: 7, TXT: []string{"node=GoPeer"}}, n.typ)
	b, err := response(names.records(kService, []netip.Addr{netip.MustParseAddr("10.77.0.3")})).Pack()
	if err != nil {
		t.Fatal(err)
	}
	n.feed(b, "10.77.0.3:5353")
	n.feed(golden(t, "mdns-10-update-heartbeat"), "10.77.0.3:5353")
	if got := n.last("GoPeer").TXT; len(got) != 6 || got[5] != "hb=1" {
		t.Errorf("TXT = %q", got)
	}
}

// What a 1.x node asks is answered: its probe for a name that we have, its
// browsing, and not what it knows already.
func TestGoldenQueries(t *testing.T) {
	for _, c := range []struct {
		file, self string
		answers    bool
	}{
		{"mdns-00-probe", "Phone1", true},
		{"mdns-00-probe", "Phone9", true},
		{"mdns-01-browse-query", "Phone2", true},
		{"mdns-01-browse-query", "Phone1", false},
		{"mdns-06-browse-query-known-answers", "Phone2", false},
	} {
		s := newSim(t)
		n := s.add(disco.Service{Type: "_peerlink._tcp", Instance: c.self, Host: "h", Port: 1}, ethernet(2, "lan", "10.77.0.9/24"))
		s.run(10 * time.Second)
		n.feed(golden(t, c.file), "10.77.0.1:5353")
		if got := len(n.uni) > 0; got != c.answers {
			t.Errorf("%s to %s: answered = %v", c.file, c.self, got)
		}
	}
}

// What we announce is what a 1.x node announces, but for the host and AAAA.
func TestAnnouncementLikeGolden(t *testing.T) {
	want := decode(golden(t, "mdns-02-announce"))
	n := newNames(disco.Service{Instance: "Phone1", Host: "Phone1", Port: 58988,
		TXT: texts(itemsOf(want, "_peerlink._tcp.local.")[2].data.text)}, "_peerlink._tcp.local.")
	got := response(n.records(kService, []netip.Addr{netip.MustParseAddr("10.77.0.1")}))
	if got.Response != want.Response || got.Authoritative != want.Authoritative || len(got.Answer) != len(want.Answer) {
		t.Errorf("header %v, %d answers", got.MsgHdr, len(got.Answer))
	}
	for _, rr := range want.Answer {
		h := rr.Header()
		h.Rdlength = 0
		if !slices.ContainsFunc(got.Answer, func(g dns.RR) bool { return g.String() == rr.String() }) {
			t.Errorf("missing: %v\nhave: %v", rr, got.Answer)
		}
	}
}

func TestDecode(t *testing.T) {
	good := golden(t, "mdns-02-announce")
	for k := range good { // every truncation
		if k < len(good)-1 && decode(good[:k]) != nil && k < 12 {
			t.Errorf("%d bytes were accepted", k)
		}
	}
	for _, c := range []struct {
		name string
		edit func([]byte) []byte
	}{
		{"empty", func([]byte) []byte { return nil }},
		{"opcode", func(b []byte) []byte { b[2] |= 0x08; return b }},
		{"rcode", func(b []byte) []byte { b[3] |= 0x03; return b }},
		{"too long", func(b []byte) []byte { return append(b, make([]byte, maxDatagram)...) }},
		{"pointer to itself", func(b []byte) []byte { return append(b[:12], 0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0) }},
	} {
		if decode(c.edit(slices.Clone(good))) != nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
}

func TestItems(t *testing.T) {
	const typ = "_t._tcp.local."
	for _, c := range []struct {
		rr   string
		want bool
	}{
		{`_t._tcp.local. 120 IN PTR a._t._tcp.local.`, true},
		{`_T._TCP.Local. 120 IN PTR A._t._tcp.LOCAL.`, true},
		{`_t._tcp.local. 120 IN PTR a\.b\ c._t._tcp.local.`, true},
		{`_t._tcp.local. 120 IN PTR a.b._t._tcp.local.`, false}, // two labels
		{`_t._tcp.local. 120 IN PTR _t._tcp.local.`, false},
		{`_t._tcp.local. 120 IN PTR a._u._tcp.local.`, false},
		{`_u._tcp.local. 120 IN PTR a._t._tcp.local.`, false},
		{`_t._tcp.local. 120 IN PTR \255\254._t._tcp.local.`, false}, // not UTF-8
		{`a._t._tcp.local. 120 IN SRV 0 0 5 h.local.`, true},
		{`a._u._tcp.local. 120 IN SRV 0 0 5 h.local.`, false},
		{`a._t._tcp.local. 120 IN SRV 0 0 5 .`, false},
		{`a._t._tcp.local. 120 IN TXT "x=1"`, true},
		{`a._t._tcp.local. 120 CH TXT "x=1"`, false},
		{`h.local. 120 IN A 10.0.0.1`, true},
		{`h.local. 120 IN A 0.0.0.0`, false},
		{`h.local. 120 IN A 224.0.0.1`, false},
		{`h.local. 120 IN AAAA fe80::1`, true},
		{`h.local. 120 IN MX 1 h.local.`, false},
	} {
		rr, err := dns.NewRR(c.rr)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, got := itemOf(rr, typ); got != c.want {
			t.Errorf("%s: accepted = %v", c.rr, got)
		}
	}
}

func TestTTLs(t *testing.T) {
	for _, c := range []struct {
		in   uint32
		typ  uint16
		want time.Duration
	}{
		{0, dns.TypeSRV, 0},
		{1, dns.TypeSRV, minTTL},
		{60, dns.TypeSRV, time.Minute},
		{3200, dns.TypeSRV, maxTTL},
		{1 << 31, dns.TypeA, maxTTL},
		{3200, dns.TypeTXT, 3200 * time.Second},
		{1<<32 - 1, dns.TypePTR, maxTTLPTR},
	} {
		if got := clampTTL(c.in, c.typ); got != c.want {
			t.Errorf("clampTTL(%d, %d) = %v, want %v", c.in, c.typ, got, c.want)
		}
	}
}

// FuzzResponse feeds datagrams to an engine, as they would come from the network.
func FuzzResponse(f *testing.F) {
	files, err := filepath.Glob("testdata/golden/*.hex")
	if err != nil || len(files) == 0 {
		f.Fatal("no golden packets")
	}
	for _, file := range files {
		f.Add(golden(f, strings.TrimSuffix(filepath.Base(file), ".hex")), uint16(port))
	}
	names := newNames(disco.Service{Instance: "Me (2)", Host: "x", TXT: []string{"\"\\"}}, "_peerlink._tcp.local.")
	own, err := response(names.records(kService|kMeta, nil)).Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own, uint16(port))
	f.Fuzz(func(t *testing.T, b []byte, p uint16) {
		s := newSim(t)
		n := s.add(disco.Service{Type: "_peerlink._tcp", Instance: "Me", Host: "me", Port: 1}, ethernet(2, "lan", "10.77.0.9/24"))
		s.run(100 * time.Millisecond)
		src := netip.AddrPortFrom(netip.MustParseAddr("10.77.0.1"), p).String()
		n.feed(golden(t, "mdns-02-announce"), "10.77.0.1:5353")
		for range 2 {
			n.feed(b, src)
			s.run(time.Second)
		}
		if n.cache.records != n.countRecords() {
			t.Errorf("%d records counted, %d there", n.cache.records, n.countRecords())
		}
		for _, g := range n.found {
			if len(g.Addrs) == 0 || g.Instance == "" {
				t.Errorf("found %+v", g)
			}
		}
		s.run(3 * time.Minute)
		if len(n.cache.instances) > 40 || n.cache.records != n.countRecords() {
			t.Errorf("%d instances, %d records", len(n.cache.instances), n.cache.records)
		}
	})
}
