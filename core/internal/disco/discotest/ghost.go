package discotest

import (
	"net"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"

	"github.com/peerlink/peerlink/core/internal/disco"
)

// haunt announces a service on the loopback interface, and is gone: like a node
// whose power was cut.
func haunt(t *testing.T, s disco.Service) {
	t.Helper()
	typ := s.Type + ".local."
	full, host := s.Instance+"."+typ, s.Host+".local."
	hdr := func(name string, typ uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: typ, Class: dns.ClassINET, Ttl: 120}
	}
	m := &dns.Msg{Answer: []dns.RR{
		&dns.PTR{Hdr: hdr(typ, dns.TypePTR), Ptr: full},
		&dns.SRV{Hdr: hdr(full, dns.TypeSRV), Port: s.Port, Target: host},
		&dns.TXT{Hdr: hdr(full, dns.TypeTXT), Txt: s.TXT},
		&dns.A{Hdr: hdr(host, dns.TypeA), A: net.IPv4(127, 0, 0, 1)},
	}}
	m.Response, m.Authoritative = true, true
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}
	udp, err := net.ListenUDP("udp4", group)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	lo, _ := Loopback(t)()
	if _, err := ipv4.NewPacketConn(udp).WriteTo(b, &ipv4.ControlMessage{IfIndex: lo[0].Index}, group); err != nil {
		t.Fatal(err)
	}
}
