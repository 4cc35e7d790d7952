package main

// #include "plq.h"
import "C"

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	peerlink "github.com/peerlink/peerlink/core"
)

// maxCalls bounds the calls under way.
const maxCalls = 16384

// call is a pl_call or a pl_call_wait.
type call struct {
	id, user uint64
	peer     uint32
	fn       string
	req      peerlink.Payload
	timeout  time.Duration
}

// callTimeout is what StartCall gets: negative is none.
func callTimeout(ms C.uint32_t) time.Duration {
	switch ms {
	case 0:
		return peerlink.DefaultTimeout
	case C.PL_FOREVER:
		return -1
	default:
		return duration(ms)
	}
}

// emptyArguments is what no bytes of arguments stand for, by codec.
var emptyArguments = map[peerlink.Codec][]byte{peerlink.JSON: []byte("[]"), peerlink.CBOR: {0x80}}

// nullResult is what a result of no bytes is given out as, by codec.
var nullResult = map[peerlink.Codec][]byte{peerlink.JSON: []byte("null"), peerlink.CBOR: {0xf6}}

func (n *node) payload(b []byte) peerlink.Payload {
	return peerlink.Payload{Codec: n.codec, Bytes: b}
}

func (n *node) request(args []byte) peerlink.Payload {
	if len(args) == 0 {
		args = emptyArguments[n.codec]
	}
	return n.payload(args)
}

// finish brings what a peer answered into the codec of the application.
func (n *node) finish(p peerlink.Payload, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if len(p.Bytes) == 0 {
		return nullResult[n.codec], nil
	}
	p, err = p.Convert(n.codec)
	return p.Bytes, err
}

// leadTime is how long a thread reads the socket itself for its answer, before it
// waits in C as threads do when several calls are under way.
const leadTime = 50 * time.Millisecond

// callWait begins the call of a pl_call_wait, which waits for plq_done: here, reading
// the socket itself, for leadTime or slice if that is shorter, then in C. It fails if
// the call was not begun; plq_done does not follow then.
func (n *node) callWait(c call, slice time.Duration) error {
	s := n.enter()
	if s == nil {
		return errNotStarted
	}
	var ended atomic.Bool
	done := func(result peerlink.Payload, err error) {
		defer s.wg.Done()
		defer ended.Store(true)
		n.calls.remove(c.id)
		b, err := n.finish(result, err)
		if err != nil {
			text := sentenceOf(err)
			C.plq_done(n.c, C.pl_id(c.id), statusOf(err), unsafe.Pointer(unsafe.StringData(text)), C.size_t(len(text)))
			return
		}
		C.plq_done(n.c, C.pl_id(c.id), C.PL_OK, unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b)))
	}
	if !n.calls.add(c.id) {
		s.wg.Done()
		return peerlink.ErrOverloaded
	}
	n.startCall(n.peers.get(c.peer), c, done)
	if slice == 0 || slice > leadTime {
		slice = leadTime
	}
	s.core.Lead(time.Now().Add(slice), ended.Load)
	return nil
}

// beginCall sends a pl_call on its way; its end is always a PL_EV_REPLY, and to
// PL_PEER_ALL a PL_EV_REPLIES_END.
func (n *node) beginCall(c call) {
	s := n.enter()
	if s == nil {
		n.refuseCall(c, peerlink.ErrClosed)
		return
	}
	if !n.calls.add(c.id) {
		s.wg.Done()
		n.refuseCall(c, peerlink.ErrOverloaded)
		return
	}
	if c.peer == C.PL_PEER_ALL {
		n.callAll(s, c)
		return
	}
	p := n.peers.get(c.peer)
	n.startCall(p, c, func(result peerlink.Payload, err error) {
		defer s.wg.Done()
		n.calls.remove(c.id)
		n.endCall(c, p, result, err)
	})
}

// callAll is beginCall for all peers. It counts as one of what is to be waited for.
func (n *node) callAll(s *session, c call) {
	var left atomic.Int64
	left.Store(1) // this loop
	oneLess := func() {
		if left.Add(-1) > 0 {
			return
		}
		n.calls.remove(c.id)
		n.events.push(event{typ: C.PL_EV_REPLIES_END, id: c.id, user: c.user})
		s.wg.Done()
	}
	for p := range s.core.Peers() {
		left.Add(1)
		n.startCall(p, c, func(result peerlink.Payload, err error) {
			defer oneLess()
			n.endCall(c, p, result, err)
		})
	}
	oneLess()
}

// startCall calls p, if it is not gone. done is called once, perhaps at once.
func (n *node) startCall(p *peerlink.Peer, c call, done func(peerlink.Payload, error)) {
	if p == nil {
		done(peerlink.Payload{}, peerlink.ErrPeerNotFound)
		return
	}
	n.calls.cancelBy(c.id, p.StartCall(c.fn, c.req, c.timeout, func(result peerlink.Payload, err error) {
		n.peers.spoke(p)
		done(result, err)
	}))
}

// refuseCall ends a call that was never made.
func (n *node) refuseCall(c call, err error) {
	n.endCall(c, nil, peerlink.Payload{}, err)
	if c.peer == C.PL_PEER_ALL {
		n.events.push(event{typ: C.PL_EV_REPLIES_END, id: c.id, user: c.user})
	}
}

// endCall queues the PL_EV_REPLY.
func (n *node) endCall(c call, p *peerlink.Peer, result peerlink.Payload, err error) {
	e := event{typ: C.PL_EV_REPLY, id: c.id, user: c.user, peer: c.peer}
	if c.peer == C.PL_PEER_ALL {
		e.peer = n.peers.number(p)
	}
	if e.data, err = n.finish(result, err); err != nil {
		typ, text := textOf(err)
		e.status, e.name, e.data = statusOf(err), clip(typ, C.PLQ_FN_MAX), []byte(text)
	}
	n.events.push(e)
}

// calls are those under way, by pl_id, so that they can be canceled.
type calls struct {
	mu   sync.Mutex
	open map[uint64]*underway
}

type underway struct {
	cancels  []func() // more than one if all peers are called
	one      [1]func()
	canceled bool
}

func (t *calls) add(id uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) >= maxCalls {
		return false
	}
	u := &underway{}
	u.cancels = u.one[:0]
	t.open[id] = u
	return true
}

func (t *calls) remove(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
}

// cancelBy says how to cancel a call that has begun, unless it is over. If somebody
// tried before, it is done now.
func (t *calls) cancelBy(id uint64, cancel func()) {
	t.mu.Lock()
	u := t.open[id]
	late := u != nil && u.canceled
	if u != nil {
		u.cancels = append(u.cancels, cancel)
	}
	t.mu.Unlock()
	if late {
		cancel()
	}
}

// cancel ends a call. Its end is told as any other.
func (t *calls) cancel(id uint64) {
	t.mu.Lock()
	var cancels []func()
	if u := t.open[id]; u != nil {
		u.canceled = true
		cancels, u.cancels = u.cancels, nil
	}
	t.mu.Unlock()
	for _, cancel := range cancels {
		cancel() // tells the end on this goroutine, and that takes the lock
	}
}
