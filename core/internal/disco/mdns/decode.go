package mdns

import (
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco/mdns/dnsname"
)

// topBit of the class means "flush the cache" in a record and "answer by
// unicast" in a question (RFC 6762 §18.12, §18.13).
const topBit = 1 << 15

// maxText bounds a TXT record, sent or received.
const maxText = 4096

// packet is one datagram.
type packet struct {
	msg   *dns.Msg
	src   netip.AddrPort
	ifx   int  // receiving interface; 0 where the system does not say
	group bool // it was sent to the multicast group
}

// decode returns nil for what is not an mDNS message (RFC 6762 §18.3, §18.11).
func decode(b []byte) *dns.Msg {
	const header = 12
	if len(b) < header || len(b) > maxDatagram || b[2]&0x78 != 0 || b[3]&0x0f != 0 {
		return nil
	}
	m := new(dns.Msg)
	if m.Unpack(b) != nil {
		return nil
	}
	return m
}

// rdata is the content of one record, comparable with ==.
type rdata struct {
	typ  uint16
	name string // PTR: the instance in full, SRV: the host; as received
	prio uint32 // SRV: priority and weight, for the tie-break
	port uint16
	text string // TXT: the strings, each behind a length byte
	addr netip.Addr
}

// item is a record of a response that concerns us.
type item struct {
	owner string // lower case
	data  rdata
	ttl   time.Duration // 0: a goodbye
	flush bool
}

// Received TTLs are kept within these bounds: the upper ones so that a node that
// died is noticed, the lower one so that a silly TTL does not make us ask all
// the time.
const (
	minTTL    = 5 * time.Second
	maxTTL    = 120 * time.Second  // SRV, A, AAAA
	maxTTLPTR = 4500 * time.Second // PTR, TXT
)

// itemsOf picks the records that can belong to services of type typ, those that
// others refer to first.
func itemsOf(m *dns.Msg, typ string) []item {
	var byRank [4][]item
	for _, section := range [][]dns.RR{m.Answer, m.Extra} {
		for _, rr := range section {
			if it, rank, ok := itemOf(rr, typ); ok {
				byRank[rank] = append(byRank[rank], it)
			}
		}
	}
	out := byRank[0]
	for _, more := range byRank[1:] {
		out = append(out, more...)
	}
	return out
}

func itemOf(rr dns.RR, typ string) (it item, rank int, ok bool) {
	h := rr.Header()
	if h.Class&^topBit != dns.ClassINET {
		return item{}, 0, false
	}
	it = item{owner: strings.ToLower(h.Name), flush: h.Class&topBit != 0}
	it.data.typ = h.Rrtype
	switch x := rr.(type) {
	case *dns.PTR:
		rank, ok = 0, it.setPTR(x, typ)
	case *dns.SRV:
		rank, ok = 1, it.setSRV(x, typ)
	case *dns.TXT:
		rank, ok = 2, it.setTXT(x, typ)
	case *dns.A:
		rank, ok = 3, it.setAddr(x.A)
	case *dns.AAAA:
		rank, ok = 3, it.setAddr(x.AAAA)
	}
	it.ttl = clampTTL(h.Ttl, h.Rrtype)
	return it, rank, ok
}

func clampTTL(seconds uint32, typ uint16) time.Duration {
	if seconds == 0 {
		return 0
	}
	top := maxTTL
	if typ == dns.TypePTR || typ == dns.TypeTXT {
		top = maxTTLPTR
	}
	return min(max(time.Duration(seconds)*time.Second, minTTL), top)
}

func (it *item) setPTR(x *dns.PTR, typ string) bool {
	it.data.name, it.flush = x.Ptr, false // PTR is shared: it never flushes
	_, ok := dnsname.Instance(x.Ptr, typ)
	return ok && strings.EqualFold(x.Hdr.Name, typ)
}

func (it *item) setSRV(x *dns.SRV, typ string) bool {
	it.data.name, it.data.port = x.Target, x.Port
	it.data.prio = uint32(x.Priority)<<16 | uint32(x.Weight)
	_, ok := dnsname.Instance(x.Hdr.Name, typ)
	return ok && strings.Trim(x.Target, ".") != "" // RFC 2782: "." is no service; empty is no data
}

func (it *item) setTXT(x *dns.TXT, typ string) bool {
	var b strings.Builder
	for _, s := range x.Txt {
		s = dnsname.Unescape(s)
		if s == "" || len(s) > 255 || b.Len()+len(s) >= maxText {
			continue // RFC 6763 §6.1: an empty string says nothing
		}
		b.WriteByte(byte(len(s)))
		b.WriteString(s)
	}
	it.data.text = b.String()
	_, ok := dnsname.Instance(x.Hdr.Name, typ)
	return ok
}

func (it *item) setAddr(ip []byte) bool {
	a, ok := netip.AddrFromSlice(ip)
	it.data.addr = a.Unmap()
	return ok && !it.data.addr.IsUnspecified() && !it.data.addr.IsMulticast()
}

// texts splits what setTXT joined.
func texts(joined string) []string {
	var out []string
	for len(joined) > 0 {
		n := 1 + int(joined[0])
		out = append(out, joined[1:n])
		joined = joined[n:]
	}
	return out
}
