package disco

import (
	"cmp"
	"maps"
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
	Found  bool             // a backend sees it
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
	// Admit, if not nil, says which sightings count; the others are as if they were
	// not. It is set before the table is used.
	Admit func(Info) bool

	self ID
	max  int

	mu      sync.Mutex
	last    uint32
	entries map[uint32]*entry
	bySrc   map[Source]uint32
	touched map[uint32]bool     // entries that Drain has not told of
	waiting map[Source]Sighting // for which there was no room; at most max
}

// NewTable returns a table of up to max peers that never lists self.
func NewTable(self ID, max int) *Table {
	return &Table{
		self: self, max: max,
		entries: make(map[uint32]*entry),
		bySrc:   make(map[Source]uint32),
		touched: make(map[uint32]bool),
		waiting: make(map[Source]Sighting),
	}
}

// Drain returns the entries that have changed since it was called last, in whatever
// way, and the keys of those that are gone.
func (t *Table) Drain() (changed []Peer, gone []uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.touched {
		if e := t.entries[key]; e != nil {
			changed = append(changed, e.Peer)
		} else {
			gone = append(gone, key)
		}
	}
	clear(t.touched)
	return changed, gone
}

// Found takes a sighting of backend.
func (t *Table) Found(backend int, s Sighting) []Change {
	info, ok := infoOf(s)
	if !ok || info.ID == t.self || t.Admit != nil && !t.Admit(info) {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	src := Source{backend, s.Instance}
	delete(t.waiting, src)
	if !t.hasRoom(src, info, s.Addrs) {
		if len(t.waiting) < t.max {
			t.waiting[src] = s
		}
		return nil
	}
	return t.found(src, info, s.Addrs)
}

// Add takes a peer from the application. Unlike one that was discovered it stays
// listed when it goes silent. If the name is known already, addr is one more of its
// addresses. It returns a Peer without Key if there is no room.
func (t *Table) Add(name string, addr netip.AddrPort, tcpPort uint16) (Peer, []Change) {
	info := Info{Name: name, ID: derivedID("static " + name), TCPPort: tcpPort, Legacy: true}
	src := Source{staticBackend, name}
	addrs := []netip.AddrPort{addr}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.onlyOne(name); e != nil {
		info = e.Info
	}
	if !t.hasRoom(src, info, addrs) {
		return Peer{}, nil
	}
	changes := t.found(src, info, addrs)
	return t.entries[t.bySrc[src]].Peer, changes
}

// onlyOne returns the entry of a name, if there is just one.
func (t *Table) onlyOne(name string) (only *entry) {
	for _, e := range t.entries {
		if e.Name != name {
			continue
		}
		if only != nil {
			return nil
		}
		only = e
	}
	return only
}

// hasRoom reports whether a sighting can be entered. To make room it drops an entry
// that is down.
func (t *Table) hasRoom(src Source, info Info, addrs []netip.AddrPort) bool {
	if len(t.entries) < t.max || t.find(info, addrs) != nil {
		return true
	}
	if before := t.entries[t.bySrc[src]]; before != nil && len(before.seen) == 1 {
		return true // it will be replaced
	}
	for _, e := range t.entries {
		if !e.Up && !e.Static {
			t.remove(e)
			return true
		}
	}
	return false
}

// found enters what src says. There is room for it.
func (t *Table) found(src Source, info Info, addrs []netip.AddrPort) []Change {
	e := t.find(info, addrs)
	before := t.entries[t.bySrc[src]] // whom src announced so far
	switch {
	case e != nil && e.Name != info.Name:
		return t.rename(e, src, info, addrs)
	case before != nil && before != e && before.Up && before.Name == info.Name:
		return t.replace(before, e, src, info, addrs)
	case before != nil && before != e:
		return append(t.detach(before, src, Removed), t.enter(e, src, info, addrs)...)
	default:
		return t.enter(e, src, info, addrs)
	}
}

// enter adds a source to e, or makes an entry for it.
func (t *Table) enter(e *entry, src Source, info Info, addrs []netip.AddrPort) []Change {
	if e == nil {
		e = t.insert(info)
	}
	if info.Native == 0 && e.Native != 0 { // nobody forgets how to: the record is cut, or forged
		info.Native, info.Legacy = e.Native, false
	}
	e.Info = info
	t.attach(e, src, addrs)
	return t.refresh(e)
}

// replace puts another node in the place of old. Other backends may take a while to
// notice; what the application gave goes over at once.
func (t *Table) replace(old, e *entry, src Source, info Info, addrs []netip.AddrPort) []Change {
	old.Up = false
	was := old.Peer
	static := Source{staticBackend, old.Name}
	given, has := old.seen[static]
	t.detach(old, src, Removed)
	if has {
		t.detach(old, static, Removed)
	}
	changes := t.enter(e, src, info, addrs)
	e = t.entries[t.bySrc[src]]
	if has {
		t.attach(e, static, given)
	}
	if len(changes) > 0 && changes[0].Kind == Up {
		changes[0] = Change{Kind: Replaced, Peer: e.Peer, Old: was}
	}
	return changes
}

// rename makes a new entry of a node that goes by another name now, since who asked
// for the old one must not be handed it unawares.
func (t *Table) rename(e *entry, src Source, info Info, addrs []netip.AddrPort) []Change {
	changes := t.down(e, Removed)
	t.remove(e)
	return append(changes, t.enter(nil, src, info, addrs)...)
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
		if e.Static && !e.Found && e.Name == info.Name && slices.Contains(addrs, e.Addr) {
			return e
		}
	}
	return nil
}

func (t *Table) insert(info Info) *entry {
	t.last++
	e := &entry{Peer: Peer{Key: t.last, Info: info}, seen: make(map[Source][]netip.AddrPort)}
	t.entries[e.Key] = e
	t.touched[e.Key] = true
	return e
}

// remove takes an entry out, with whatever sources it has.
func (t *Table) remove(e *entry) {
	for src := range e.seen {
		delete(t.bySrc, src)
	}
	delete(t.entries, e.Key)
	t.touched[e.Key] = true
}

func (t *Table) attach(e *entry, src Source, addrs []netip.AddrPort) {
	e.seen[src] = slices.Clone(addrs)
	t.bySrc[src] = e.Key
	t.collect(e)
}

// collect joins what all sources say, in their order. The addresses stay as they
// are when there is no source left.
func (t *Table) collect(e *entry) {
	t.touched[e.Key] = true
	e.Static, e.Found = false, false
	if len(e.seen) == 0 {
		return
	}
	sources := slices.SortedFunc(maps.Keys(e.seen), func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Backend, b.Backend), strings.Compare(a.Instance, b.Instance))
	})
	e.Addrs = nil
	for _, s := range sources {
		e.Static = e.Static || s.Backend == staticBackend
		e.Found = e.Found || s.Backend != staticBackend
		for _, a := range e.seen[s] {
			if !slices.Contains(e.Addrs, a) {
				e.Addrs = append(e.Addrs, a)
			}
		}
	}
}

// refresh tells what a new sighting changed. The address in use is kept for as long
// as it is among those known.
func (t *Table) refresh(e *entry) []Change {
	t.touched[e.Key] = true
	if !e.Up {
		e.Up, e.Addr = true, e.Addrs[0]
		return []Change{{Kind: Up, Peer: e.Peer}}
	}
	if slices.Contains(e.Addrs, e.Addr) {
		return nil
	}
	old := e.Peer
	e.Addr = e.Addrs[0]
	return []Change{{Kind: Moved, Peer: e.Peer, Old: old}}
}

// Lost takes a backend's word that an instance is gone. If it only went silent
// there, but answers says that it answers us, it stays for as long as it does.
func (t *Table) Lost(backend int, instance string, why Reason, answers func(Peer) bool) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	src := Source{backend, instance}
	delete(t.waiting, src)
	e := t.entries[t.bySrc[src]]
	switch {
	case e == nil:
		return nil
	case why == Expired && e.Up && answers(e.Peer):
		delete(e.seen, src)
		delete(t.bySrc, src)
		t.collect(e)
		return nil
	default:
		return append(t.detach(e, src, why), t.admit()...)
	}
}

// admit enters one of those for which there was no room.
func (t *Table) admit() []Change {
	for src, s := range t.waiting {
		info, _ := infoOf(s)
		if !t.hasRoom(src, info, s.Addrs) {
			return nil
		}
		delete(t.waiting, src)
		return t.found(src, info, s.Addrs)
	}
	return nil
}

// detach removes src from e, and e with its last source.
func (t *Table) detach(e *entry, src Source, why Reason) []Change {
	delete(e.seen, src)
	delete(t.bySrc, src)
	t.collect(e)
	switch {
	case len(e.seen) == 0:
		changes := t.down(e, why)
		t.remove(e)
		return changes
	case !e.Found: // nobody but the application believes in it
		return t.down(e, why)
	case e.Up:
		return t.refresh(e)
	default:
		return nil
	}
}

func (t *Table) down(e *entry, why Reason) []Change {
	if !e.Up {
		return nil
	}
	e.Up = false
	t.touched[e.Key] = true
	return []Change{{Kind: Down, Peer: e.Peer, Reason: why}}
}

// Silent says that a peer does not answer. It is down, but stays in the table while
// a source believes in it: Heard may bring it back.
func (t *Table) Silent(key uint32) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[key]
	if e == nil {
		return nil
	}
	changes := t.down(e, Expired)
	if len(e.seen) == 0 {
		t.remove(e)
		changes = append(changes, t.admit()...)
	}
	return changes
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
	t.touched[e.Key] = true
	if !e.Up {
		e.Up = true
		return []Change{{Kind: Up, Peer: e.Peer}}
	}
	if old.Addr == e.Addr {
		return nil
	}
	return []Change{{Kind: Moved, Peer: e.Peer, Old: old}}
}

// Proved takes what a peer said of itself over an authenticated session: who it is,
// and that it can be reached at addr, which becomes the address in use.
func (t *Table) Proved(key uint32, info Info, addr netip.AddrPort) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[key]
	if e == nil {
		return nil
	}
	t.touched[key] = true
	if !e.Found && t.find(info, nil) == nil { // the application gave a name and an address, no more
		e.ID, e.TCPPort, e.Version = info.ID, info.TCPPort, info.Version
	}
	e.Native, e.Legacy = info.Native, false
	old := e.Peer
	known := slices.Contains(e.Addrs, addr)
	if !known {
		e.Addrs = append([]netip.AddrPort{addr}, e.Addrs...)
	}
	e.Addr = addr
	switch {
	case !e.Up:
		e.Up = true
		return []Change{{Kind: Up, Peer: e.Peer}}
	case !known:
		return []Change{{Kind: Moved, Peer: e.Peer, Old: old}}
	default: // of several addresses another is in use: it has not moved
		return nil
	}
}

// Left takes a peer's own word that it goes.
func (t *Table) Left(key uint32) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[key]
	if e == nil {
		return nil
	}
	return t.down(e, Removed)
}

// ByID returns the peer of that ID.
func (t *Table) ByID(id ID) (Peer, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.entries {
		if e.ID == id {
			return e.Peer, true
		}
	}
	return Peer{}, false
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
// those that differ in case only. Peers that are up count; if there are none, those
// that the application gave. More than one means that the name is ambiguous.
func (t *Table) Lookup(name string) []Peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found [4][]Peer // by how good a match they are
	for _, e := range t.entries {
		rank := 0
		switch {
		case e.Name == name:
		case strings.EqualFold(e.Name, name):
			rank = 2
		default:
			continue
		}
		if !e.Up {
			if !e.Static {
				continue
			}
			rank++
		}
		found[rank] = append(found[rank], e.Peer)
	}
	for _, peers := range found {
		if len(peers) > 0 {
			return peers
		}
	}
	return nil
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
