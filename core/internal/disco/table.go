package disco

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// A Kind says what happened to a peer.
type Kind uint8

const (
	Up       Kind = iota + 1
	Down          // with a Reason
	Moved         // the same node at another address
	Replaced      // another node under the name; Old is the one before
)

// A Peer is an entry of the Table: a value, so that what has been handed out does
// not change.
type Peer struct {
	Key uint32 // names the entry for as long as the table lives; never 0
	Info
	Addrs  []netip.AddrPort // where it may be reached, best first
	Addr   netip.AddrPort   // the one in use
	Static bool             // given by the application, so it stays until removed
	Up     bool
}

// A Change is one step in the life of a peer.
type Change struct {
	Kind   Kind
	Peer   Peer
	Old    Peer
	Reason Reason
}

// A Source is where a sighting comes from: one instance of one backend. What the
// application gave is of the backend -1.
type Source struct {
	Backend  int
	Instance string
}

const staticBackend = -1

type entry struct {
	Peer
	seen map[Source][]netip.AddrPort // each source's addresses
}

// Table is the truth about peers, made of what all backends say. It holds at most
// as many as it was made for. Methods return the changes they caused, in order.
// It is safe for concurrent use.
type Table struct {
	self ID
	max  int

	mu      sync.Mutex
	last    uint32
	entries map[uint32]*entry
	bySrc   map[Source]uint32
}

// NewTable returns a table of up to max peers that never lists self.
func NewTable(self ID, max int) *Table {
	return &Table{self: self, max: max, entries: make(map[uint32]*entry), bySrc: make(map[Source]uint32)}
}

// Found takes a sighting of backend.
func (t *Table) Found(backend int, s Sighting) []Change {
	info, ok := infoOf(s)
	if !ok || info.ID == t.self {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.found(Source{backend, s.Instance}, info, s.Addrs)
}

// Add takes a peer from the application. Unlike one that was discovered it stays
// listed when it goes silent.
func (t *Table) Add(name string, addr netip.AddrPort, tcpPort uint16) (Peer, []Change) {
	info := Info{Name: name, ID: derivedID("static " + name), TCPPort: tcpPort, Legacy: true}
	src := Source{staticBackend, name}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.entries { // discovery was first
		if e.Name == name && slices.Contains(e.Addrs, addr) {
			info = e.Info
		}
	}
	changes := t.found(src, info, []netip.AddrPort{addr})
	if e := t.entries[t.bySrc[src]]; e != nil {
		return e.Peer, changes
	}
	return Peer{}, changes
}

func (t *Table) found(src Source, info Info, addrs []netip.AddrPort) []Change {
	e := t.find(info, addrs)
	before := t.entries[t.bySrc[src]]
	if e == nil {
		if len(t.entries) >= t.max && before == nil {
			return nil
		}
		if before != nil {
			return t.replace(before, src, info, addrs)
		}
		e = t.insert(info)
		t.attach(e, src, addrs)
		return []Change{t.up(e)}
	}
	var changes []Change
	if before != nil && before != e {
		changes = t.detach(before, src, Removed)
	}
	e.Info = info
	t.attach(e, src, addrs)
	return append(changes, t.refresh(e)...)
}

// find returns the entry of the node that info describes: by its ID, or, for a
// peer that the application gave and discovery now finds, by name and address.
func (t *Table) find(info Info, addrs []netip.AddrPort) *entry {
	for _, e := range t.entries {
		if e.ID == info.ID {
			return e
		}
	}
	for _, e := range t.entries {
		if e.Static && len(e.seen) == 1 && e.Name == info.Name && slices.Contains(addrs, e.Addr) {
			return e
		}
	}
	return nil
}

func (t *Table) insert(info Info) *entry {
	t.last++
	e := &entry{Peer: Peer{Key: t.last, Info: info}, seen: make(map[Source][]netip.AddrPort)}
	t.entries[e.Key] = e
	return e
}

func (t *Table) attach(e *entry, src Source, addrs []netip.AddrPort) {
	e.seen[src] = slices.Clone(addrs)
	e.Static = e.Static || src.Backend == staticBackend
	t.bySrc[src] = e.Key
	t.collect(e)
}

// collect joins the addresses of all sources, in the order of the sources, and
// keeps the address in use for as long as it is among them.
func (t *Table) collect(e *entry) {
	sources := make([]Source, 0, len(e.seen))
	for s := range e.seen {
		sources = append(sources, s)
	}
	slices.SortFunc(sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Backend, b.Backend), strings.Compare(a.Instance, b.Instance))
	})
	e.Addrs = nil
	for _, s := range sources {
		for _, a := range e.seen[s] {
			if !slices.Contains(e.Addrs, a) {
				e.Addrs = append(e.Addrs, a)
			}
		}
	}
}

func (t *Table) up(e *entry) Change {
	e.Up, e.Addr = true, e.Addrs[0]
	return Change{Kind: Up, Peer: e.Peer}
}

// refresh tells what a new sighting of a known node changed.
func (t *Table) refresh(e *entry) []Change {
	if !e.Up {
		return []Change{t.up(e)}
	}
	if slices.Contains(e.Addrs, e.Addr) {
		return nil
	}
	old := e.Peer
	e.Addr = e.Addrs[0]
	return []Change{{Kind: Moved, Peer: e.Peer, Old: old}}
}

// replace puts another node in the place of the one that src announced so far.
func (t *Table) replace(old *entry, src Source, info Info, addrs []netip.AddrPort) []Change {
	wasUp, sameName := old.Up, old.Name == info.Name
	changes := t.detach(old, src, Removed)
	e := t.insert(info)
	t.attach(e, src, addrs)
	up := t.up(e)
	if _, stays := t.entries[old.Key]; stays || !wasUp || !sameName {
		return append(changes, up)
	}
	return []Change{{Kind: Replaced, Peer: e.Peer, Old: old.Peer}}
}

// Lost takes a backend's word that an instance is gone.
func (t *Table) Lost(backend int, instance string, why Reason) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	src := Source{backend, instance}
	e := t.entries[t.bySrc[src]]
	if e == nil {
		return nil
	}
	return t.detach(e, src, why)
}

// detach removes src from e, and e with its last source.
func (t *Table) detach(e *entry, src Source, why Reason) []Change {
	delete(e.seen, src)
	delete(t.bySrc, src)
	if len(e.seen) > 0 {
		t.collect(e)
		if e.Static && len(e.seen) == 1 {
			return t.down(e, why)
		}
		return t.refreshIfUp(e)
	}
	delete(t.entries, e.Key)
	return t.down(e, why)
}

func (t *Table) refreshIfUp(e *entry) []Change {
	if !e.Up {
		return nil
	}
	return t.refresh(e)
}

func (t *Table) down(e *entry, why Reason) []Change {
	if !e.Up {
		return nil
	}
	e.Up = false
	return []Change{{Kind: Down, Peer: e.Peer, Reason: why}}
}

// Silent says that a peer does not answer. It is down, but stays in the table: its
// sources still believe in it, and Heard may bring it back.
func (t *Table) Silent(key uint32) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[key]; e != nil {
		return t.down(e, Expired)
	}
	return nil
}

// Heard says that the peer answered, from addr. If that is one of the addresses it
// is known by, it becomes the one in use.
func (t *Table) Heard(key uint32, addr netip.AddrPort) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[key]
	if e == nil {
		return nil
	}
	old := e.Peer
	if slices.Contains(e.Addrs, addr) {
		e.Addr = addr
	}
	if !e.Up {
		e.Up = true
		return []Change{{Kind: Up, Peer: e.Peer}}
	}
	if old.Addr == e.Addr {
		return nil
	}
	return []Change{{Kind: Moved, Peer: e.Peer, Old: old}}
}

// Sources returns where the peer was seen.
func (t *Table) Sources(key uint32) []Source {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Source
	if e := t.entries[key]; e != nil {
		for s := range e.seen {
			out = append(out, s)
		}
	}
	return out
}

// Lookup returns the peers that name may mean: those of exactly that name, else
// those that differ in case only. A peer counts if it is up, or if the application
// gave it. More than one means that the name is ambiguous.
func (t *Table) Lookup(name string) []Peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	var exact, folded []Peer
	for _, e := range t.entries {
		switch {
		case !e.Up && !e.Static:
		case e.Name == name:
			exact = append(exact, e.Peer)
		case strings.EqualFold(e.Name, name):
			folded = append(folded, e.Peer)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return folded
}

// Peers returns all entries, up or not, ordered by name and then by age.
func (t *Table) Peers() []Peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Peer, 0, len(t.entries))
	for _, e := range t.entries {
		out = append(out, e.Peer)
	}
	slices.SortFunc(out, func(a, b Peer) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	return out
}
