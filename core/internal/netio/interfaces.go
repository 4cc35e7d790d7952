// Package netio is the network a node stands on: the UDP socket and the TCP
// listener it owns, and the list of interfaces it announces itself on.
package netio

import (
	"net"
	"net/netip"
)

// An Interface is one network interface with its addresses. It carries what
// net.Interface and its Addrs method say, but can also be made from a list that
// the platform hands over: Android refuses net.Interfaces to apps (golang/go#40569).
type Interface struct {
	Index int
	Name  string
	Flags net.Flags
	Addrs []netip.Prefix // link-local IPv6 addresses need no zone here
}

// Usable reports whether a node can meet others on i: it is up, has an address,
// and carries multicast. Loopback counts although Linux gives it no multicast
// flag. Point-to-point links, which are VPNs as a rule, do not.
func (i Interface) Usable() bool {
	const wanted = net.FlagMulticast | net.FlagLoopback
	return i.Flags&net.FlagUp != 0 && i.Flags&wanted != 0 &&
		i.Flags&net.FlagPointToPoint == 0 && len(i.Addrs) > 0
}

// Interfaces asks the operating system.
func Interfaces() ([]Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	out := make([]Interface, 0, len(list))
	for _, ifi := range list {
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // it went away between the two questions
		}
		out = append(out, Interface{
			Index: ifi.Index, Name: ifi.Name, Flags: ifi.Flags, Addrs: prefixes(addrs),
		})
	}
	return out, nil
}

func prefixes(addrs []net.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		if !ok {
			continue
		}
		ones, _ := n.Mask.Size()
		out = append(out, netip.PrefixFrom(ip.Unmap(), ones))
	}
	return out
}
