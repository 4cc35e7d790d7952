package mdns

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/peerlink/peerlink/core/internal/netio"
)

const (
	scanEvery     = 2 * time.Second
	unicastBurst  = 50 // unicast answers per interface and second
	maxInterfaces = 64
)

var errNoInterface = errors.New("mdns: no network interface to use")

// iface is one interface that we take part on.
type iface struct {
	netio.Interface
	joined [2]bool // by family

	// What is announced here. The steps of plan fall due at planAt + step.after.
	plan        []step
	planAt      time.Time
	settled     bool // the probes are through
	announced   bool
	announcedAt time.Time // last time

	multicastAt [2]time.Time // last multicast answer, by family
	burstAt     time.Time    // unicast answers are counted from here
	burst       int
}

func (i *iface) loopback() bool { return i.Flags&net.FlagLoopback != 0 }

// addrs returns what we announce on this interface, IPv4 first. A loopback
// address is good on the loopback interface only.
func (i *iface) addrs() []netip.Addr {
	var out []netip.Addr
	for _, p := range i.Addrs {
		a := p.Addr().Unmap().WithZone("")
		if a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && (i.loopback() || !a.IsLoopback()) {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return slices.Compact(out)
}

func (i *iface) has(f family) bool {
	return slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return familyOf(p.Addr()) == f })
}

// onLink tells whether a can be a neighbour on this interface.
func (i *iface) onLink(a netip.Addr) bool {
	a = a.WithZone("")
	if i.loopback() {
		return true // everything there is ours
	}
	if a.IsLinkLocalUnicast() {
		return true
	}
	return slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()).Masked().Contains(a)
	})
}

func (i *iface) owns(a netip.Addr) bool {
	a = a.WithZone("")
	return slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr().Unmap().WithZone("") == a })
}

func (i *iface) same(n netio.Interface) bool {
	return i.Name == n.Name && i.Flags == n.Flags && slices.Equal(i.Addrs, n.Addrs)
}

// scan compares the interfaces with those we know. With all it treats every one
// as changed.
func (e *engine) scan(all bool, now time.Time) {
	e.scanAt = now.Add(scanEvery)
	e.net.refresh()
	list, err := e.list()
	if err != nil {
		e.fail(err)
		return
	}
	seen := map[int]bool{}
	for _, n := range list {
		if n.Flags&net.FlagUp == 0 || len(n.Addrs) == 0 || len(seen) == maxInterfaces {
			continue
		}
		seen[n.Index] = true
		e.meet(n, all, now)
	}
	for index, i := range e.ifs {
		if !seen[index] {
			e.dismiss(i, now)
		}
	}
	e.judge()
}

// meet takes in an interface that is new or has changed; on the others it joins
// what could not be joined before.
func (e *engine) meet(n netio.Interface, force bool, now time.Time) {
	i := e.ifs[n.Index]
	if i != nil && !force && i.same(n) {
		if e.join(i) {
			e.begin(i, now)
		}
		return
	}
	if i == nil {
		i = &iface{}
		e.ifs[n.Index] = i
	} else {
		e.leave(i) // and join again: switches and routers want to hear it
	}
	i.Interface = n
	i.Addrs = slices.Clone(n.Addrs)
	e.join(i)
	e.begin(i, now)
}

// join joins the groups that have an address to speak from; it tells whether one
// was added.
func (e *engine) join(i *iface) (added bool) {
	for _, f := range families {
		if i.joined[f] || !i.has(f) {
			continue
		}
		if err := e.net.join(i.Interface, f); err == nil {
			i.joined[f], added = true, true
		}
	}
	return added
}

func (e *engine) leave(i *iface) {
	for _, f := range families {
		if i.joined[f] {
			e.net.leave(i.Interface, f)
			i.joined[f] = false
		}
	}
}

func (e *engine) dismiss(i *iface, now time.Time) {
	e.leave(i)
	delete(e.ifs, i.Index)
	e.cache.forget(i.Index, now)
}

// begin starts over on an interface: announce, and ask who is there.
func (e *engine) begin(i *iface, now time.Time) {
	if e.pub != nil {
		e.restart(i, now)
	}
	e.askSoon(now)
}

// lostSocket makes the next scan join again with a new socket.
func (e *engine) lostSocket(f family) {
	for _, i := range e.ifs {
		i.joined[f] = false
	}
}

// judge reports once when we have become blind, and why.
func (e *engine) judge() {
	for _, i := range e.ifs {
		if i.joined[v4] || i.joined[v6] {
			e.failed = false
			return
		}
	}
	e.fail(errNoInterface)
}

func (e *engine) fail(err error) {
	if e.failed {
		return
	}
	e.failed = true
	e.log.Debug("mdns sees nothing", "err", err)
	e.sink.Failed(err)
}

// arrival finds the interface a packet came by; where the system does not say,
// by its source.
func (e *engine) arrival(p packet) *iface {
	if p.ifx != 0 {
		return e.ifs[p.ifx]
	}
	src := p.src.Addr()
	var best *iface
	for _, i := range e.ifs {
		switch {
		case src.Zone() != "":
			if src.Zone() == i.Name || src.Zone() == strconv.Itoa(i.Index) {
				return i
			}
		case i.loopback() != src.IsLoopback():
		case i.onLink(src) && (best == nil || i.Index < best.Index):
			best = i
		}
	}
	return best
}

// ownAddress tells whether a is an address of this machine.
func (e *engine) ownAddress(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	for _, i := range e.ifs {
		if i.owns(a) {
			return true
		}
	}
	return false
}
