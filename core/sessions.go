package peerlink

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
)

// sessions are those of a node, by the number that packets to it bear. It is read for
// every packet and changed seldom, so it is copied for each change.
type sessions struct {
	mu  sync.Mutex
	all atomic.Pointer[map[uint32]*session]
}

func (t *sessions) get(number uint32) *session {
	if all := t.all.Load(); all != nil {
		return (*all)[number]
	}
	return nil
}

func (t *sessions) list() map[uint32]*session {
	if all := t.all.Load(); all != nil {
		return *all
	}
	return nil
}

// add enters s; false if there are max already.
func (t *sessions) add(s *session, max int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := maps.Clone(t.list())
	if len(all) >= max {
		return false
	}
	if all == nil {
		all = make(map[uint32]*session)
	}
	all[s.number] = s
	t.all.Store(&all)
	return true
}

func (t *sessions) remove(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := maps.Clone(t.list())
	delete(all, s.number)
	t.all.Store(&all)
}

// spareSessions are for nodes that are no known peers, and for handshakes that cross.
const spareSessions = 64

// enterSession makes a new session usable.
func (n *Node) enterSession(s *session) error {
	if !n.sessions.add(s, n.limits.Peers+spareSessions) {
		n.dropOldest()
		if !n.sessions.add(s, n.limits.Peers+spareSessions) {
			s.end(CodeGone, false)
			return fmt.Errorf("%d sessions are open already", n.limits.Peers+spareSessions)
		}
	}
	if n.ctx.Err() != nil {
		n.dropSession(s, CodeClosed, true)
		return ErrClosed
	}
	proved := !s.unproved.Load()
	if proved || s.initiator {
		n.assign(s)
	}
	if proved {
		n.settle(s)
	}
	return nil
}

// settle follows a peer that has proved that it has the keys of a session: its name is
// its own, and what waits for an earlier instance of it will not come.
func (n *Node) settle(s *session) {
	p := s.peer.Load()
	n.shakes.pin(s.about.Name, s.key, p)
	if p == nil {
		return
	}
	p.dialect.Store(dialectNative)
	for _, other := range n.sessions.list() {
		if other.peer.Load() == p && other.about.ID != s.about.ID {
			n.dropSession(other, CodeGone, false)
		}
	}
}

// assign gives a session to the peer whose it is.
func (n *Node) assign(s *session) {
	if s.peer.Load() == nil {
		if state, ok := n.peers.table.ByID(disco.ID(s.about.ID)); ok {
			s.peer.Store(n.peers.get(state.Key))
		} else if p := n.peers.at(s.address()); p != nil && !p.state.Load().Found && p.Name() == s.about.Name {
			s.peer.Store(p) // the application named it, and it was quicker to call than we
		}
	}
	p := s.peer.Load()
	if p != nil {
		p.adopt(s)
	}
}

// dropOldest makes room by ending the session that was silent for longest.
func (n *Node) dropOldest() {
	var oldest *session
	var heard time.Time
	for _, s := range n.sessions.list() {
		s.mu.Lock()
		at := s.link.Heard()
		s.mu.Unlock()
		if oldest == nil || at.Before(heard) {
			oldest, heard = s, at
		}
	}
	if oldest != nil {
		n.dropSession(oldest, CodeGone, true)
	}
}

// dropSession ends a session and forgets it.
func (n *Node) dropSession(s *session, code Code, tell bool) {
	n.sessions.remove(s)
	s.end(code, tell)
	if p := s.peer.Load(); p != nil {
		p.session.CompareAndSwap(s, nil)
	}
}

// adopt makes s the session of p, unless p has one that both ends prefer: of two
// handshakes that cross, that of the smaller ID.
func (p *Peer) adopt(s *session) {
	for {
		old := p.session.Load()
		switch {
		case old == s:
			return
		case old != nil && old.about.ID == s.about.ID && time.Since(old.since) < time.Second && old.preferred() && !s.preferred():
			return
		default:
			if p.session.CompareAndSwap(old, s) {
				return
			}
		}
	}
}

// preferred tells which of two handshakes that crossed both ends keep.
func (s *session) preferred() bool {
	return s.initiator == lessID(s.node.id, ID(s.about.ID))
}

func lessID(a, b ID) bool { return string(a[:]) < string(b[:]) }

// sessionProved takes to the table what the peer said of itself.
func (n *Node) sessionProved(s *session, p *Peer) {
	p.proven.Store(s)
	info := disco.Info{
		Name: s.about.Name, ID: disco.ID(s.about.ID), TCPPort: s.about.TCPPort, Version: s.about.Software,
		Native: disco.VersionsOf(s.about.Versions...), Realm: n.realmTag(),
	}
	addr := s.address()
	n.peers.update(func() []disco.Change { return n.peers.table.Proved(p.key, info, addr) })
}

// sessionClosed follows a peer that ended the session.
func (n *Node) sessionClosed(s *session, why Code) {
	code := CodeGone
	if why == CodeUnauthenticated {
		code = why
	}
	n.dropSession(s, code, false)
	if why == CodeClosed { // what is still on its way in others of its sessions is no sign of life
		for _, other := range n.sessions.list() {
			if other.about.ID == s.about.ID {
				n.dropSession(other, CodeGone, false)
			}
		}
	}
	if p := s.peer.Load(); p != nil && why == CodeClosed && ID(s.about.ID) == p.ID() {
		n.peers.update(func() []disco.Change { return n.peers.table.Left(p.key) })
	}
}

// reshakeAfter is the silence, beyond what the way there and back takes, after which a
// peer that has missed several probes may have been restarted.
const reshakeAfter = 300 * time.Millisecond

// sessionSilent looks for a peer that misses probes: elsewhere, and anew.
func (n *Node) sessionSilent(s *session, now time.Time) {
	p := s.peer.Load()
	if p == nil {
		return
	}
	addrs := p.state.Load().Addrs
	s.mu.Lock()
	silent := s.link.Silent(now)
	if len(addrs) > 1 || len(addrs) == 1 && addrs[0] != s.link.Addr() {
		s.link.Probe(now, addrs)
		s.flush(now)
	}
	s.mu.Unlock()
	if s.unproved.Load() {
		return // its FIN goes out with each probe
	}
	if silent > reshakeAfter && p.session.Load() == s {
		n.suspect(p)
		n.shakes.again(p, now)
	}
}

// follow does for sessions what an event calls for.
func (n *Node) follow(e Event) {
	now := time.Now()
	switch e.Kind {
	case PeerUp, PeerMoved:
		n.greet(e.Peer, now)
	case PeerReplaced:
		n.doubt(e.Old, now)
		n.greet(e.Peer, now)
	case PeerDown:
		if e.Reason == Removed {
			n.doubt(e.Peer, now)
		} else if s := e.Peer.session.Load(); s != nil {
			s.failEndless()
		}
	}
}

// greet begins a session with a peer that was found, unless it is to begin: one
// handshake for two nodes is enough.
func (n *Node) greet(p *Peer, now time.Time) {
	state := p.state.Load()
	if state.Native == 0 || !state.Found {
		return
	}
	for _, s := range n.sessions.list() { // it may have been quicker than its announcement
		if !s.unproved.Load() && ID(s.about.ID) == p.ID() && s.peer.CompareAndSwap(nil, p) {
			p.adopt(s)
		}
	}
	switch s := p.session.Load(); {
	case s != nil && s.address() != p.Addr():
		s.ping(now, state.Addrs)
	case s == nil && lessID(n.id, p.ID()):
		n.shakes.again(p, now)
	}
}

// doubtTime is how long a peer has to answer that was said to be gone.
const doubtTime = 250 * time.Millisecond

// doubt asks a peer of which discovery says that it is gone: anybody can forge that.
func (n *Node) doubt(p *Peer, now time.Time) {
	for _, s := range n.sessions.list() { // calls may wait in one that is not in use any more
		if s.peer.Load() == p {
			s.doubted.CompareAndSwap(0, int64(now.Sub(epoch)))
			s.ping(now, nil)
		}
	}
}
