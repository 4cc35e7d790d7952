package main

// #include "plq.h"
import "C"

import (
	"bytes"
	"context"
	"sync"
	"time"
	"unicode/utf8"
	"unsafe"

	peerlink "github.com/peerlink/peerlink/core"
)

// refreshEvery is how often the snapshot gets what is no event: round-trip times, sessions.
const refreshEvery = time.Second

// event is a pl_record to be.
type event struct {
	typ, flags C.uint16_t
	status     C.int32_t
	id, user   uint64
	peer       uint32
	aux        uint16
	name       string
	data       []byte
}

// events puts events into the inbound queue. Those that find it full wait in Go,
// in order. When too many wait, calls of peers are refused, and the outbound queue
// is not read, so that no new answers come.
type events struct {
	c        *C.plq_node
	max      int // how many may wait: as many as fit into the queue itself
	maxBytes int

	mu           sync.Mutex
	spilled      []event
	spilledBytes int
	dropped      uint64 // not yet reported
	closed       bool
}

// push queues e, or reports false if it was dropped: which only PL_EV_LOG may be,
// and PL_EV_CALL when too much waits already. It copies what it keeps.
func (q *events) push(e event) bool {
	e.name = clip(e.name, C.PLQ_NAME_MAX)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return false
	case len(q.spilled) == 0 && q.reportDropped() && q.write(e):
		return true
	case e.typ == C.PL_EV_LOG, e.typ == C.PL_EV_CALL && q.isOver():
		q.dropped++
		return false
	}
	e.data = bytes.Clone(e.data)
	q.spilled = append(q.spilled, e)
	q.spilledBytes += len(e.data)
	return true
}

// refill moves events that wait in Go to the queue, as far as there is room.
func (q *events) refill() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.spilled) > 0 && q.write(q.spilled[0]) {
		q.spilledBytes -= len(q.spilled[0].data)
		q.spilled[0] = event{}
		q.spilled = q.spilled[1:]
	}
	if len(q.spilled) == 0 {
		q.spilled = nil
		q.reportDropped()
	}
}

// over reports whether too much waits.
func (q *events) over() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.isOver()
}

func (q *events) isOver() bool {
	return len(q.spilled) >= q.max || q.spilledBytes >= q.maxBytes
}

func (q *events) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.spilled = nil
}

// reportDropped tells the application of lost events before the next one. It
// reports false if there is no room for that.
func (q *events) reportDropped() bool {
	if q.dropped > 0 && q.write(event{typ: C.PL_EV_DROPPED, id: q.dropped}) {
		q.dropped = 0
	}
	return q.dropped == 0
}

func (q *events) write(e event) bool {
	rec := C.pl_record{
		_type:    e.typ,
		flags:    e.flags,
		status:   e.status,
		data_len: C.uint32_t(len(e.data)),
		id:       C.uint64_t(e.id),
		user:     C.uint64_t(e.user),
		peer:     C.uint32_t(e.peer),
		name_len: C.uint16_t(len(e.name)),
		aux:      C.uint16_t(e.aux),
	}
	return C.plq_push(q.c, &rec, (*C.char)(unsafe.Pointer(unsafe.StringData(e.name))),
		unsafe.Pointer(unsafe.SliceData(e.data))) == C.PL_OK
}

// clip cuts s to at most limit bytes, at the border of a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// forward passes on what core says of the peers, until the session ends. The
// snapshot is changed first: who sees the event finds the peer.
func (n *node) forward(s *session) {
	defer n.caught("forward")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.wg.Go(func() { n.refresh(ctx) })
	for e := range s.core.Events(ctx) {
		n.forwardOne(e)
	}
}

func (n *node) forwardOne(e peerlink.Event) {
	if e.Kind == peerlink.Renamed {
		n.events.push(event{typ: C.PL_EV_RENAMED, name: e.Name})
		return
	}
	out := event{peer: n.peers.put(e.Peer), name: e.Peer.Name(), data: []byte(e.Peer.Addr().String())}
	switch e.Kind {
	case peerlink.PeerUp:
		out.typ = C.PL_EV_PEER_UP
	case peerlink.PeerMoved:
		out.typ = C.PL_EV_PEER_MOVED
	case peerlink.PeerDown:
		out.typ, out.data, out.aux = C.PL_EV_PEER_DOWN, nil, C.PL_REASON_EXPIRED
		if e.Reason == peerlink.Removed {
			out.aux = C.PL_REASON_REMOVED
		}
	case peerlink.PeerReplaced:
		out.typ, out.id = C.PL_EV_PEER_REPLACED, uint64(n.peers.putDown(e.Old))
	default:
		return
	}
	n.events.push(out)
}

func (n *node) refresh(ctx context.Context) {
	defer n.caught("refresh")
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.peers.refresh()
		}
	}
}

// caught is deferred by goroutines: a panic ends them alone, and is logged.
func (n *node) caught(what string) {
	if r := recover(); r != nil {
		n.config.Logger.Error("panic in "+what, "err", panicError(r))
	}
}
