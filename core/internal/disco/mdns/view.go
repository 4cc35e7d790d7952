package mdns

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
)

// report tells the sink what has changed since it was called last.
func (e *engine) report(now time.Time) {
	for key := range e.cache.changed() {
		if i := e.cache.instances[key]; i != nil {
			e.reportOne(key, i, now)
		}
	}
}

func (e *engine) reportOne(key string, i *instance, now time.Time) {
	srv := newest(i.srv)
	if len(i.ptr) == 0 || srv == nil {
		e.lose(key, i, now)
		return
	}
	s := disco.Sighting{Instance: i.name, Addrs: e.cache.addrsOf(srv)}
	txt := newest(i.txt)
	if txt != nil {
		s.TXT = texts(txt.data.text)
	}
	if len(s.Addrs) == 0 || txt == nil {
		e.want(key, i, now)
		if len(s.Addrs) == 0 && i.asks >= maxAsks {
			e.lose(key, i, now)
		}
		if len(s.Addrs) == 0 || i.asks < maxAsks { // a node without TXT is a node
			return
		}
	} else {
		i.asks = 0
		delete(e.missing, key)
	}
	i.since = now
	if i.told && slices.Equal(s.Addrs, i.last.Addrs) && slices.Equal(s.TXT, i.last.TXT) {
		return
	}
	i.told, i.last = true, s
	s.Addrs, s.TXT = slices.Clone(s.Addrs), slices.Clone(s.TXT) // the sink may keep them
	e.sink.Found(s)
}

// lose reports an instance that was told of, and forgets it if nothing is left.
func (e *engine) lose(key string, i *instance, now time.Time) {
	was := i.told
	if was {
		i.told, i.last, i.asks = false, disco.Sighting{}, 0
		i.since = now
		e.cache.dueBy(now.Add(unresolved))
	}
	if len(i.ptr) == 0 {
		delete(e.cache.instances, key)
		delete(e.missing, key)
	} else {
		e.want(key, i, now)
	}
	if was {
		e.sink.Lost(i.name, cmp.Or(i.why, disco.Expired))
	}
}

// addrsOf returns where the node of an SRV record can be reached: IPv4 first,
// what only this machine can use last.
func (c *cache) addrsOf(srv *record) []netip.AddrPort {
	h := c.hosts[strings.ToLower(srv.data.name)]
	if h == nil {
		return nil
	}
	var out []netip.AddrPort
	for _, r := range h.addrs {
		a := netip.AddrPortFrom(r.reach(), srv.data.port)
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b netip.AddrPort) int {
		return cmp.Or(cmp.Compare(rank(a.Addr()), rank(b.Addr())), a.Compare(b))
	})
	return out
}

// reach returns the address a record stands for. A 1.x node without a default
// route says 127.0.0.1 to the whole link: its packets say better.
func (r *record) reach() netip.Addr {
	a := r.data.addr
	if a.IsLoopback() && !r.from.loop && r.from.src.IsValid() {
		a = r.from.src
	}
	if a.Is6() && a.IsLinkLocalUnicast() {
		a = a.WithZone(r.from.zone)
	}
	return a
}

func rank(a netip.Addr) int {
	switch {
	case a.IsLoopback():
		return 4 + a.BitLen()/128
	case a.Is4():
		return 0
	case a.IsLinkLocalUnicast():
		return 2
	}
	return 1
}
