package peerlink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/limit"
	"github.com/peerlink/peerlink/core/internal/link"
)

// peerSet gives each entry of the table its Peer, and tells the subscribers of
// events what changed, in the order in which it did.
type peerSet struct {
	node  *Node
	table *disco.Table
	hub   hub

	mu     sync.Mutex // held from the change of the table until it has been told
	byKey  map[uint32]*Peer
	byAddr sync.Map // netip.AddrPort → *Peer; read for every datagram
}

func newPeerSet(n *Node, t *disco.Table) *peerSet {
	return &peerSet{node: n, table: t, byKey: make(map[uint32]*Peer)}
}

// update applies change to the table. Logging waits until the lock is free: the
// application's handler may ask for peers.
func (s *peerSet) update(change func() []disco.Change) {
	for _, e := range s.apply(change) {
		s.node.follow(e)
		s.node.log.Info("peer "+e.Kind.String(), "peer", e.Peer.Name(), "addr", e.Peer.Addr(), "reason", string(e.Reason))
	}
}

func (s *peerSet) apply(change func() []disco.Change) (events []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range change() {
		e := s.event(c)
		s.hub.publish(e)
		events = append(events, e)
	}
	s.sync()
	return events
}

// event makes an event of c.
func (s *peerSet) event(c disco.Change) Event {
	e := Event{Peer: s.peer(c.Peer), Reason: c.Reason}
	switch c.Kind {
	case disco.Up:
		e.Kind = PeerUp
	case disco.Down:
		e.Kind = PeerDown
	case disco.Moved:
		e.Kind = PeerMoved
	case disco.Replaced:
		e.Kind, e.Old = PeerReplaced, s.peer(c.Old)
	}
	return e
}

// peer returns the Peer of an entry, up to date.
func (s *peerSet) peer(state disco.Peer) *Peer {
	p := s.byKey[state.Key]
	if p == nil {
		p = &Peer{node: s.node, key: state.Key, asked: limit.Line{Every: 2 * time.Second}}
		p.heard.Store(int64(time.Since(epoch)))
		if state.Legacy && !state.Static { // what the application gave may be anything
			p.live.Idle = link.IdleLegacy
		}
		s.byKey[state.Key] = p
	}
	p.state.Store(&state)
	return p
}

// sync brings the Peers up to date with the table, in what is no event too, such
// as further addresses.
func (s *peerSet) sync() {
	changed, gone := s.table.Drain()
	for _, state := range changed {
		p := s.peer(state)
		s.forgetAddrs(p)
		p.addrs = state.Addrs
		for _, a := range state.Addrs {
			s.byAddr.Store(a, p)
		}
	}
	for _, key := range gone {
		if p := s.byKey[key]; p != nil {
			s.forgetAddrs(p)
			delete(s.byKey, key)
		}
	}
}

// forgetAddrs takes p's addresses out of byAddr, but for those that another peer
// has taken over.
func (s *peerSet) forgetAddrs(p *Peer) {
	for _, a := range p.addrs {
		s.byAddr.CompareAndDelete(a, p)
	}
}

// heard notes that a peer which seemed to be gone answers from an address.
func (s *peerSet) heard(p *Peer, from netip.AddrPort) {
	s.update(func() []disco.Change { return s.table.Heard(p.key, from) })
}

// answers reports whether a peer of this version, which we ping every 2 s, was heard
// of late: then that discovery hears nothing says more about multicast than about it.
func (s *peerSet) answers(state disco.Peer) bool {
	p := s.byKey[state.Key]
	return p != nil && !state.Legacy && time.Since(epoch)-time.Duration(p.heard.Load()) < 2*link.IdleNative
}

// rename tells the subscribers our new name; false if it is not new.
func (s *peerSet) rename(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.node.AnnouncedName() == name {
		return false
	}
	s.node.announced.Store(&name)
	s.hub.publish(Event{Kind: Renamed, Name: name})
	return true
}

// at returns the peer at an address, or nil.
func (s *peerSet) at(addr netip.AddrPort) *Peer {
	if p, ok := s.byAddr.Load(addr); ok {
		return p.(*Peer)
	}
	return nil
}

func (s *peerSet) get(key uint32) *Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byKey[key]
}

// all returns every peer, up or not, ordered by name.
func (s *peerSet) all() []*Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Peer
	for _, state := range s.table.Peers() {
		out = append(out, s.peer(state))
	}
	return out
}

// up returns the peers that are up, ordered by name.
func (s *peerSet) up() []*Peer {
	var out []*Peer
	for _, p := range s.all() {
		if p.Up() {
			out = append(out, p)
		}
	}
	return out
}

// Peer returns the peer that now holds name: exactly, or else the only one that
// differs in case. It fails with ErrPeerNotFound, or with ErrAmbiguous if two
// live peers hold it.
func (n *Node) Peer(name string) (*Peer, error) {
	if n.ctx.Err() != nil {
		return nil, &Error{Code: CodeClosed, Op: "find", Peer: name, Err: ErrClosed.Err}
	}
	n.peers.mu.Lock()
	defer n.peers.mu.Unlock()
	found := n.peers.table.Lookup(name)
	switch len(found) {
	case 0:
		return nil, &Error{Code: CodePeerNotFound, Op: "find", Peer: name}
	case 1:
		return n.peers.peer(found[0]), nil
	default:
		return nil, &Error{Code: CodeAmbiguous, Op: "find", Peer: name,
			Err: fmt.Errorf("%d nodes answer to it, at %v and %v", len(found), found[0].Addr, found[1].Addr)}
	}
}

// Peers yields the peers that are up, ordered by name, as they are at the call.
func (n *Node) Peers() iter.Seq[*Peer] {
	up := n.peers.up()
	return func(yield func(*Peer) bool) {
		for _, p := range up {
			if !yield(p) {
				return
			}
		}
	}
}

// AddPeer names a peer that discovery cannot find, for networks without multicast.
// It counts as up until it is found silent, and stays listed then too. tcpPort 0 is
// the UDP port. Another address for the same name replaces the one before; if
// discovery knows a peer of that name, it is one more of its addresses.
func (n *Node) AddPeer(name string, udp netip.AddrPort, tcpPort uint16) (*Peer, error) {
	const op = "add peer"
	if !disco.ValidName(name) {
		return nil, &Error{Code: CodeInvalid, Op: op, Err: fmt.Errorf("%q is no node name", name)}
	}
	if !udp.Addr().IsValid() || udp.Addr().IsUnspecified() || udp.Addr().IsMulticast() || udp.Port() == 0 {
		return nil, &Error{Code: CodeInvalid, Op: op, Peer: name, Err: fmt.Errorf("%v is no address of a node", udp)}
	}
	if tcpPort == 0 {
		tcpPort = udp.Port()
	}
	udp = netip.AddrPortFrom(udp.Addr().Unmap(), udp.Port())
	var added disco.Peer
	n.peers.update(func() (changes []disco.Change) {
		added, changes = n.peers.table.Add(name, udp, tcpPort)
		return changes
	})
	if added.Key == 0 {
		return nil, &Error{Code: CodeOverloaded, Op: op, Peer: name, Err: fmt.Errorf("%d peers are known already", n.limits.Peers)}
	}
	return n.peers.get(added.Key), nil
}

// WaitPeers returns when at least count peers are up.
func (n *Node) WaitPeers(ctx context.Context, count int) error {
	enough := func() bool { return len(n.peers.up()) >= count }
	if enough() && n.ctx.Err() == nil {
		return nil
	}
	for range n.Events(ctx) {
		if enough() {
			return nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return contextError("wait for peers", "", ctx.Err())
	default:
		return &Error{Code: CodeClosed, Op: "wait for peers", Err: ErrClosed.Err}
	}
}

// WaitPeer returns the peer that holds name as soon as it is up; see Peer for what
// a name means. Found is not proved: for Authenticated and Fingerprint Ping it first.
func (n *Node) WaitPeer(ctx context.Context, name string) (*Peer, error) {
	if p, err := n.Peer(name); !errors.Is(err, ErrPeerNotFound) {
		return p, err // AddPeer may have named one that is not up
	}
	for range n.Events(ctx) {
		if p, err := n.Peer(name); !errors.Is(err, ErrPeerNotFound) {
			return p, err
		}
	}
	cause := ctx.Err()
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		return nil, &Error{Code: CodePeerNotFound, Op: "wait", Peer: name, Err: fmt.Errorf("not found in time; up: %s", n.names())}
	case cause != nil:
		return nil, contextError("wait", name, cause)
	default:
		return nil, &Error{Code: CodeClosed, Op: "wait", Peer: name, Err: ErrClosed.Err}
	}
}

// names lists who is up, for an error text.
func (n *Node) names() string {
	var names []string
	for p := range n.Peers() {
		names = append(names, strconv.Quote(p.Name()))
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}
