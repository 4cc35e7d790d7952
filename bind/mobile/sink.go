package peerlink

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	core "github.com/peerlink/peerlink/core"
)

const maxPeerAddrs = 16

// discoverySink is the DiscoverySink that the application gets.
type discoverySink struct{ d *injected }

func (s *discoverySink) Found(name, addrs string, port, ifIndex int32, txt []byte) {
	defer guard("found")
	list := parseAddrs(addrs, port, s.zones(ifIndex))
	strs, err := parseTXT(txt)
	if err != nil || len(list) == 0 || name == "" || !s.d.note(name) {
		s.d.env.Log.Warn("discovery: unusable sighting", "instance", name, "addrs", addrs, "port", port, "error", err)
		return
	}
	s.d.report(func(sink core.DiscoverySink) {
		sink.Found(core.Sighting{Instance: name, Addrs: list, TXT: strs})
	})
}

func (s *discoverySink) Lost(name string) {
	defer guard("lost")
	s.d.unnote(name)
	s.d.report(func(sink core.DiscoverySink) { sink.Lost(name, core.Removed) })
}

func (s *discoverySink) Registered(name string) {
	defer guard("registered")
	s.d.report(func(sink core.DiscoverySink) { sink.Renamed(name) })
}

func (s *discoverySink) Failed(code int32, message string) {
	defer guard("failed")
	if code <= 0 || code > CodeGone {
		code = CodeIO
	}
	s.d.fail(&core.Error{Code: core.Code(code), Op: "discovery", Err: errors.New(message)})
}

// zones returns how a zone in an address becomes a number: names of interfaces
// would be looked up by a call that Android denies.
func (s *discoverySink) zones(ifIndex int32) func(zone string) string {
	return func(zone string) string {
		if n, err := strconv.ParseUint(zone, 10, 31); err == nil && n > 0 {
			return zone
		}
		if ifIndex > 0 {
			return strconv.Itoa(int(ifIndex))
		}
		list, err := s.d.env.Interfaces()
		if zone == "" || err != nil {
			return ""
		}
		i := slices.IndexFunc(list, func(i core.Interface) bool { return i.Name == zone })
		if i < 0 {
			return ""
		}
		return strconv.Itoa(list[i].Index)
	}
}

// parseAddrs reads addresses with spaces between, and returns those that can be
// sent to, IPv4 first.
func parseAddrs(text string, port int32, zones func(zone string) string) (list []netip.AddrPort) {
	if port < 1 || port > 65535 {
		return nil
	}
	for field := range strings.FieldsSeq(text) {
		a, err := netip.ParseAddr(field)
		if err != nil || a.IsUnspecified() || a.IsMulticast() || len(list) == maxPeerAddrs {
			continue
		}
		a = a.Unmap()
		if zone := a.Zone(); a.Is6() && a.IsLinkLocalUnicast() {
			if a = a.WithZone(zones(zone)); a.Zone() == "" {
				continue
			}
		}
		list = append(list, netip.AddrPortFrom(a, uint16(port)))
	}
	slices.SortStableFunc(list, func(a, b netip.AddrPort) int {
		return a.Addr().BitLen() - b.Addr().BitLen()
	})
	return list
}
