package mdns

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/disco/mdns/dnsname"
)

// TTLs that we announce, in seconds (RFC 6762 §10).
const (
	ttlHost   = 120  // SRV, A, AAAA, NSEC: they die with the host
	ttlOther  = 4500 // PTR, TXT
	ttlLegacy = 10   // at most, for a resolver that knows no mDNS (§6.7)
)

// metaType lists the service types of a network (RFC 6763 §9).
const metaType = "_services._dns-sd._udp." + domain

// kinds is a set of our records.
type kinds uint8

const (
	kPTR kinds = 1 << iota
	kSRV
	kTXT
	kAddr // A, AAAA and the NSEC record that denies the rest
	kMeta

	kService = kPTR | kSRV | kTXT | kAddr
)

func header(name string, typ uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET, Ttl: ttl}
}

// unique is the header of a record that nobody else may have (§10.2).
func unique(name string, typ uint16, ttl uint32) dns.RR_Header {
	h := header(name, typ, ttl)
	h.Class |= topBit
	return h
}

// names are the names and contents we publish, in presentation form.
type names struct {
	typ  string
	full string // instance and type
	host string
	port uint16
	txt  []string
}

func newNames(s disco.Service, typ string) names {
	return names{
		typ:  typ,
		full: dnsname.Escape(s.Instance) + "." + typ,
		host: dnsname.Escape(s.Host) + "." + domain,
		port: s.Port,
		txt:  s.TXT,
	}
}

// records builds the records of the set for an interface with these addresses.
func (n *names) records(k kinds, addrs []netip.Addr) []dns.RR {
	var out []dns.RR
	if k&kPTR != 0 {
		out = append(out, &dns.PTR{Hdr: header(n.typ, dns.TypePTR, ttlOther), Ptr: n.full})
	}
	if k&kSRV != 0 {
		out = append(out, n.srv())
	}
	if k&kTXT != 0 {
		out = append(out, &dns.TXT{Hdr: unique(n.full, dns.TypeTXT, ttlOther), Txt: dnsname.Texts(n.txt)})
	}
	if k&kAddr != 0 {
		out = append(out, n.addrs(addrs)...)
	}
	if k&kMeta != 0 {
		out = append(out, &dns.PTR{Hdr: header(metaType, dns.TypePTR, ttlOther), Ptr: n.typ})
	}
	return out
}

func (n *names) srv() *dns.SRV {
	return &dns.SRV{Hdr: unique(n.full, dns.TypeSRV, ttlHost), Port: n.port, Target: n.host}
}

func (n *names) addrs(addrs []netip.Addr) []dns.RR {
	var out []dns.RR
	nsec := &dns.NSEC{Hdr: unique(n.host, dns.TypeNSEC, ttlHost), NextDomain: n.host}
	for _, a := range addrs {
		typ := dns.TypeA
		if a.Is4() {
			out = append(out, &dns.A{Hdr: unique(n.host, typ, ttlHost), A: a.AsSlice()})
		} else {
			typ = dns.TypeAAAA
			out = append(out, &dns.AAAA{Hdr: unique(n.host, typ, ttlHost), AAAA: a.AsSlice()})
		}
		if l := len(nsec.TypeBitMap); l == 0 || nsec.TypeBitMap[l-1] != typ { // IPv4 come first
			nsec.TypeBitMap = append(nsec.TypeBitMap, typ)
		}
	}
	return append(out, nsec)
}

// response wraps answers into a message that answers nobody in particular.
func response(answers []dns.RR) *dns.Msg {
	return &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Answer: answers}
}

// srvData is what conflicts are decided by.
func (n *names) srvData() rdata {
	return rdata{typ: dns.TypeSRV, port: n.port, name: n.host}
}

// later tells whether a wins a tie-break against b (§8.2): the data that sorts
// later.
func later(a, b rdata) bool {
	switch {
	case a.prio != b.prio:
		return a.prio > b.prio
	case a.port != b.port:
		return a.port > b.port
	}
	return strings.ToLower(a.name) > strings.ToLower(b.name)
}
