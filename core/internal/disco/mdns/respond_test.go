package mdns

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func settled(t *testing.T) (*sim, *node) {
	s := newSim(t)
	n := s.add(s.service("A b", "pl-a", 7), ethernet(2, "lan", "10.0.0.1/24", "fe80::1/64"))
	s.run(10 * time.Second)
	s.sent = nil
	return s, n
}

func (n *node) query(src string, m *dns.Msg) {
	b, err := m.Pack()
	if err != nil {
		n.sim.t.Fatal(err)
	}
	n.feed(b, src)
}

func ask(name string, typ, class uint16) *dns.Msg {
	return &dns.Msg{Question: []dns.Question{{Name: name, Qtype: typ, Qclass: class}}}
}

// types lists the record types of an answer, answers before additionals.
func types(m *dns.Msg) string {
	out := ""
	for _, rr := range m.Answer {
		out += dns.TypeToString[rr.Header().Rrtype] + " "
	}
	out += "/"
	for _, rr := range m.Extra {
		out += " " + dns.TypeToString[rr.Header().Rrtype]
	}
	return out
}

func TestAnswers(t *testing.T) {
	const full = `A\ b._t._tcp.local.`
	for _, c := range []struct {
		name string
		typ  uint16
		want string
	}{
		{"_t._tcp.local.", dns.TypePTR, "PTR / SRV TXT A AAAA NSEC"},
		{"_T._tcp.LOCAL.", dns.TypeANY, "PTR / SRV TXT A AAAA NSEC"},
		{full, dns.TypeSRV, "SRV / A AAAA NSEC"},
		{full, dns.TypeTXT, "TXT /"},
		{full, dns.TypeANY, "SRV TXT / A AAAA NSEC"},
		{"pl-a.local.", dns.TypeA, "A AAAA NSEC /"},
		{"PL-A.local.", dns.TypeAAAA, "A AAAA NSEC /"},
		{metaType, dns.TypePTR, "PTR /"},
		{"_t._tcp.local.", dns.TypeSRV, ""},
		{"_u._tcp.local.", dns.TypePTR, ""},
		{"b._t._tcp.local.", dns.TypeSRV, ""},
	} {
		s, n := settled(t)
		n.query("10.0.0.2:5353", ask(c.name, c.typ, dns.ClassINET))
		s.run(200 * time.Millisecond)
		got := ""
		if len(s.sent) > 0 {
			got = types(s.sent[0].msg)
		}
		if got != c.want || len(n.uni) > 0 {
			t.Errorf("%s %s: %q, want %q", c.name, dns.TypeToString[c.typ], got, c.want)
		}
	}
}

func TestUnicastAnswers(t *testing.T) {
	for _, c := range []struct {
		src    string
		class  uint16
		uni    bool
		multi  bool
		legacy bool
	}{
		{"10.0.0.2:5353", dns.ClassINET, false, true, false},
		{"10.0.0.2:5353", dns.ClassINET | topBit, true, false, false},
		{"10.0.0.2:40000", dns.ClassINET, true, false, true},
		{"10.0.0.1:5353", dns.ClassINET | topBit, false, true, false}, // shared port of this machine
		{"10.0.0.1:40000", dns.ClassINET, true, false, true},
		{"99.9.9.9:40000", dns.ClassINET, false, false, true}, // a forged source
		{"99.9.9.9:5353", dns.ClassINET | topBit, false, false, false},
	} {
		s, n := settled(t)
		m := ask("_t._tcp.local.", dns.TypePTR, c.class)
		m.Id = 77
		n.query(c.src, m)
		s.run(200 * time.Millisecond)
		if uni, multi := len(n.uni) > 0, len(s.sent) > 0; uni != c.uni || multi != c.multi {
			t.Errorf("%+v: unicast %v, multicast %v", c, uni, multi)
			continue
		}
		if c.uni && c.legacy {
			got := n.uni[0].msg
			if got.Id != 77 || len(got.Question) != 1 {
				t.Errorf("legacy answer: %v", got)
			}
			for _, rr := range append(got.Answer, got.Extra...) {
				if h := rr.Header(); h.Ttl > ttlLegacy || h.Class != dns.ClassINET {
					t.Errorf("legacy answer has %v", rr)
				}
			}
		}
	}
}

func TestKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		ptr  string
		ttl  uint32
		want bool
	}{
		{`A\ b._t._tcp.local.`, 4500, false},
		{`a\ B._t._tcp.local.`, 2250, false},
		{`A\ b._t._tcp.local.`, 2000, true}, // too old
		{`other._t._tcp.local.`, 4500, true},
	} {
		s, n := settled(t)
		m := ask("_t._tcp.local.", dns.TypePTR, dns.ClassINET)
		m.Answer = []dns.RR{&dns.PTR{Hdr: header("_t._tcp.local.", dns.TypePTR, c.ttl), Ptr: c.ptr}}
		n.query("10.0.0.2:5353", m)
		s.run(200 * time.Millisecond)
		if got := len(s.sent) > 0; got != c.want {
			t.Errorf("known %s, TTL %d: answered = %v", c.ptr, c.ttl, got)
		}
	}
}

// A list of known answers in several messages (§7.2): the last one counts too.
func TestManyKnownAnswers(t *testing.T) {
	s, n := settled(t)
	m := ask("_t._tcp.local.", dns.TypePTR, dns.ClassINET)
	m.Truncated = true
	n.query("10.0.0.2:5353", m)
	s.run(100 * time.Millisecond)
	more := &dns.Msg{Answer: []dns.RR{&dns.PTR{Hdr: header("_t._tcp.local.", dns.TypePTR, 4500), Ptr: `A\ b._t._tcp.local.`}}}
	n.query("10.0.0.2:5353", more)
	s.run(time.Second)
	if len(s.sent) > 0 {
		t.Errorf("answered what is known: %v", s.sent[0].msg)
	}
	n.query("10.0.0.2:5353", m)
	s.run(time.Second)
	if len(s.sent) != 1 {
		t.Errorf("%d answers, want 1", len(s.sent))
	}
}

// We send such lists ourselves, and they work.
func TestSendManyKnownAnswers(t *testing.T) {
	s := newSim(t)
	a := s.add(s.service("A", "pl-a", 1), ethernet(2, "lan", "10.0.0.1/24"))
	s.run(1500 * time.Millisecond)
	for k := range 200 {
		name := fmt.Sprintf("%050d", k)
		a.receive(packet{msg: announcement(name, 5), src: netip.MustParseAddrPort("10.0.0.9:5353"), ifx: 2, group: true}, s.now)
	}
	s.sent = nil
	a.do(func(now time.Time) { a.ask([]question{{a.typ, dns.TypePTR}}, now) })
	known := 0
	for k, f := range s.sent {
		known += len(f.msg.Answer)
		if last := k == len(s.sent)-1; f.size > 1472 || f.msg.Truncated == last || (len(f.msg.Question) > 0) != (k == 0) {
			t.Errorf("message %d: %d bytes, TC %v, %d questions", k, f.size, f.msg.Truncated, len(f.msg.Question))
		}
	}
	if known != 201 {
		t.Errorf("%d known answers", known)
	}
}

// Many who ask at once get one answer, and a storm of questions few.
func TestAggregation(t *testing.T) {
	s, n := settled(t)
	for k := range 500 {
		n.query(fmt.Sprintf("10.0.0.%d:5353", 2+k%200), ask("_t._tcp.local.", dns.TypePTR, dns.ClassINET))
		n.query(fmt.Sprintf("10.0.0.%d:40000", 2+k%200), ask("_t._tcp.local.", dns.TypePTR, dns.ClassINET))
		s.run(2 * time.Millisecond)
	}
	if len(s.sent) > 5 || len(n.uni) > 2*unicastBurst {
		t.Errorf("%d multicast and %d unicast answers in a second", len(s.sent), len(n.uni))
	}
	if len(n.pend) > maxPending {
		t.Errorf("%d pending", len(n.pend))
	}
}

func TestProbeIsAnswered(t *testing.T) {
	s, n := settled(t)
	m := ask(`A\ b._t._tcp.local.`, dns.TypeANY, dns.ClassINET)
	m.Ns = []dns.RR{&dns.SRV{Hdr: header(`A\ b._t._tcp.local.`, dns.TypeSRV, 120), Port: 9999, Target: "zz.local."}}
	n.query("10.0.0.2:5353", m)
	s.run(minWake)
	if len(s.sent) != 1 || n.pub.number != 1 {
		t.Errorf("%d answers at once, name %q", len(s.sent), n.pub.full)
	}
}
