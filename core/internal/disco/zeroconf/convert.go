package zeroconf

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/grandcat/zeroconf"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/disco/mdns/dnsname"
	"github.com/peerlink/peerlink/core/internal/netio"
)

// escape is dnsname.Escape for a library that trims dots from the ends of a name.
func escape(name string) string {
	s := dnsname.Escape(name)
	if rest, ok := strings.CutPrefix(s, `\.`); ok {
		s = `\046` + rest
	}
	if strings.HasSuffix(name, ".") && strings.HasSuffix(s, `\.`) {
		s = strings.TrimSuffix(s, `\.`) + `\046`
	}
	return s
}

// unescape puts the trimmed dot back: its backslash is still there, without a
// partner.
func unescape(s string) string {
	slashes := len(s) - len(strings.TrimRight(s, `\`))
	if slashes%2 == 1 {
		s += "."
	}
	return dnsname.Unescape(s)
}

func sighting(e *zeroconf.ServiceEntry, ifs []netio.Interface) disco.Sighting {
	s := disco.Sighting{Instance: unescape(e.Instance)}
	for _, t := range e.Text {
		if t = dnsname.Unescape(t); t != "" {
			s.TXT = append(s.TXT, t)
		}
	}
	for _, ip := range slices.Concat(e.AddrIPv4, e.AddrIPv6) {
		a, ok := netip.AddrFromSlice(ip)
		if !ok {
			continue
		}
		for _, z := range zones(a.Unmap(), ifs) {
			if p := netip.AddrPortFrom(z, uint16(e.Port)); !slices.Contains(s.Addrs, p) {
				s.Addrs = append(s.Addrs, p)
			}
		}
	}
	slices.SortFunc(s.Addrs, func(a, b netip.AddrPort) int {
		return cmp.Or(cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()), a.Compare(b))
	})
	return s
}

// zones returns the ways to reach a. The library does not say by which interface
// a link-local address was seen, so each one is a candidate.
func zones(a netip.Addr, ifs []netio.Interface) []netip.Addr {
	if !a.Is6() || !a.IsLinkLocalUnicast() {
		return []netip.Addr{a}
	}
	var out []netip.Addr
	for _, i := range ifs {
		if i.Flags&net.FlagLoopback == 0 && slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
			out = append(out, a.WithZone(i.Name))
		}
	}
	return out
}

// addresses returns what to announce: loopback addresses only where there is
// nothing else, because every interface is told all of them.
func addresses(ifs []netio.Interface) []string {
	var out, loopback []string
	for _, i := range ifs {
		for _, p := range i.Addrs {
			if a := p.Addr().Unmap().WithZone(""); a.IsLoopback() {
				loopback = append(loopback, a.String())
			} else if a.IsValid() {
				out = append(out, a.String())
			}
		}
	}
	if len(out) == 0 {
		return loopback
	}
	return out
}

func netInterfaces(ifs []netio.Interface) []net.Interface {
	out := make([]net.Interface, 0, len(ifs))
	for _, i := range ifs {
		out = append(out, net.Interface{Index: i.Index, Name: i.Name, Flags: i.Flags})
	}
	return out
}
