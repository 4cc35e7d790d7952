package peerlink

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
)

// An EventKind says what happened to a peer.
type EventKind uint8

const (
	PeerUp       EventKind = iota + 1 // it is there
	PeerDown                          // it is gone: see Reason
	PeerMoved                         // the same node, a new address
	PeerReplaced                      // the same name, another node: it was restarted
	Renamed                           // our own name was taken: see Name. Peer is nil
)

// String returns "up", "down", "moved", "replaced" or "renamed".
func (k EventKind) String() string {
	switch k {
	case PeerUp:
		return "up"
	case PeerDown:
		return "down"
	case PeerMoved:
		return "moved"
	case PeerReplaced:
		return "replaced"
	case Renamed:
		return "renamed"
	default:
		return "unknown"
	}
}

// An Event is a change in the list of peers.
type Event struct {
	Kind   EventKind
	Peer   *Peer
	Old    *Peer      // PeerReplaced: the node that held the name before
	Name   string     // Renamed: the name under which others find us now
	Reason DownReason // PeerDown: Removed if it said goodbye, Expired if it went silent
}

// String returns, for example, "Phone1 at 10.0.0.1:5 down removed".
func (e Event) String() string {
	if e.Kind == Renamed {
		return "renamed " + e.Name
	}
	return strings.TrimSpace(e.Peer.String() + " " + e.Kind.String() + " " + string(e.Reason))
}

// Events yields peers coming, going and moving until ctx ends or the node closes.
// It begins with PeerUp for each peer that is up already, and Renamed if that was. A slow reader loses no
// state: events of one peer are merged to the latest, and a peer that came and went
// unseen is not mentioned.
func (n *Node) Events(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		q := n.peers.subscribe()
		defer n.peers.hub.unsubscribe(q)
		for {
			for e, ok := q.take(); ok; e, ok = q.take() {
				if !yield(e) {
					return
				}
			}
			select {
			case <-q.notify:
			case <-ctx.Done():
				return
			case <-n.done:
				return
			}
		}
	}
}

// subscribe enters a subscriber that has been told of the peers that are up.
func (s *peerSet) subscribe() *eventQueue {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := newEventQueue()
	if name := s.node.AnnouncedName(); name != s.node.name {
		q.put(Event{Kind: Renamed, Name: name})
	}
	for _, state := range s.table.Peers() {
		if state.Up {
			q.put(Event{Kind: PeerUp, Peer: s.peer(state)})
		}
	}
	s.hub.subscribe(q)
	return q
}

// hub hands events to all subscribers.
type hub struct {
	mu     sync.Mutex
	queues map[*eventQueue]bool
}

func (h *hub) subscribe(q *eventQueue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.queues == nil {
		h.queues = make(map[*eventQueue]bool)
	}
	h.queues[q] = true
}

func (h *hub) unsubscribe(q *eventQueue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.queues, q)
}

func (h *hub) publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for q := range h.queues {
		q.put(e)
	}
}

// eventQueue holds what one subscriber has not read: at most one event for each
// peer it knows of.
type eventQueue struct {
	notify chan struct{} // capacity 1: something was put

	mu     sync.Mutex
	order  []*Peer
	latest map[*Peer]unread
}

type unread struct {
	Event
	fresh bool // the reader does not know yet that the peer came
}

func newEventQueue() *eventQueue {
	return &eventQueue{latest: make(map[*Peer]unread), notify: make(chan struct{}, 1)}
}

// put merges e with what is unread of the same peer.
func (q *eventQueue) put(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.Kind == PeerReplaced {
		e = q.collapse(e)
	}
	before := q.latest[e.Peer]
	switch {
	case before.fresh && e.Kind == PeerDown:
		q.drop(e.Peer) // came and went unseen
	case before.fresh && e.Kind == PeerMoved:
		// Its PeerUp will show the new address.
	case before.Kind == PeerReplaced && e.Kind == PeerDown:
		q.drop(e.Peer) // of the two the reader knows the old one
		q.add(Event{Kind: PeerDown, Peer: before.Old, Reason: e.Reason})
	case before.Kind == PeerReplaced && e.Kind != PeerReplaced:
		// The reader will learn of it by the replacement.
	default:
		q.add(e)
	}
}

// collapse joins a replacement with what is unread of the peer replaced.
func (q *eventQueue) collapse(e Event) Event {
	before, waiting := q.latest[e.Old]
	if !waiting {
		return e
	}
	q.drop(e.Old)
	switch {
	case before.fresh:
		return Event{Kind: PeerUp, Peer: e.Peer}
	case before.Kind == PeerReplaced:
		e.Old = before.Old
	}
	return e
}

func (q *eventQueue) add(e Event) {
	before, waiting := q.latest[e.Peer]
	if !waiting {
		q.order = append(q.order, e.Peer)
		before.fresh = e.Kind == PeerUp
	}
	q.latest[e.Peer] = unread{e, before.fresh}
	select {
	case q.notify <- struct{}{}:
	default:
	}
}

func (q *eventQueue) drop(p *Peer) {
	delete(q.latest, p)
	q.order = slices.DeleteFunc(q.order, func(o *Peer) bool { return o == p })
}

func (q *eventQueue) take() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return Event{}, false
	}
	p := q.order[0]
	q.order = q.order[1:]
	e := q.latest[p].Event
	delete(q.latest, p)
	return e, true
}
