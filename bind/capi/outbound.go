package main

// #include "plq.h"
import "C"

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	peerlink "github.com/peerlink/peerlink/core"
)

// maxCalls bounds the pl_calls under way: each is a goroutine.
const maxCalls = 16384

// outbound reads what the application put into the outbound queue.
type outbound struct {
	wake    *sleeper
	closing atomic.Bool
	done    chan struct{} // closed when the pump has ended

	takeMu sync.Mutex // who reads the queue
	buf    []byte

	mu      sync.Mutex
	running map[uint64]context.CancelFunc // by pl_id
}

func (o *outbound) open(n *node) (err error) {
	if o.wake, err = newSleeper(n.c); err != nil {
		return err
	}
	o.done = make(chan struct{})
	o.running = make(map[uint64]context.CancelFunc)
	o.buf = make([]byte, 64<<10)
	go o.pump(n)
	return nil
}

func (o *outbound) close(n *node) {
	o.closing.Store(true)
	C.plq_out_kick(n.c)
	<-o.done
	o.wake.close()
}

// pump runs until close. It sleeps while there is nothing to send and no room for
// spilled events.
func (o *outbound) pump(n *node) {
	defer close(o.done)
	for !o.closing.Load() {
		n.events.refill()
		var take C.int32_t
		if !n.events.over() {
			take = 1
			o.take(n)
		}
		if C.plq_out_arm(n.c, take) == 0 {
			o.wake.sleep()
		}
	}
}

// take empties the queue.
func (o *outbound) take(n *node) {
	defer n.caught("outbound queue")
	o.takeMu.Lock()
	defer o.takeMu.Unlock()
	buf := o.buf
	for {
		var count C.uint32_t
		used := C.plq_out_drain(n.c, unsafe.Pointer(&buf[0]), C.size_t(len(buf)), &count)
		switch {
		case used == C.PL_E_TOO_LARGE:
			buf = make([]byte, count) // for this once
			continue
		case used <= 0:
			return
		}
		for at := 0; at < int(used); {
			rec := (*C.pl_record)(unsafe.Pointer(&buf[at]))
			name, data := parts(buf[at:])
			n.dispatch(rec, name, data)
			at += int(rec.rec_len)
		}
	}
}

// parts copies the name and the data of the record at the beginning of b.
func parts(b []byte) (string, []byte) {
	rec := (*C.pl_record)(unsafe.Pointer(&b[0]))
	head := int(unsafe.Sizeof(*rec))
	nameEnd := head + int(rec.name_len)
	data := (nameEnd + 1 + 7) &^ 7
	return string(b[head:nameEnd]), bytes.Clone(b[data : data+int(rec.data_len)])
}

func (n *node) dispatch(rec *C.pl_record, name string, data []byte) {
	id := uint64(rec.id)
	switch rec._type {
	case C.PLQ_OUT_CALL:
		n.beginCall(call{
			id: id, user: uint64(rec.user), peer: uint32(rec.peer), fn: name,
			req: n.request(data), timeout: callTimeout(C.uint32_t(rec.status)),
		})
	case C.PLQ_OUT_CANCEL:
		n.out.cancel(id)
		n.waits.cancel(id)
	case C.PLQ_OUT_REPLY:
		n.served.answer(id, answer{result: peerlink.Payload{Codec: n.codec, Bytes: data}})
	case C.PLQ_OUT_REPLY_ERROR:
		n.served.answer(id, answer{err: &peerlink.RemoteError{Type: name, Message: string(data)}})
	}
}

func callTimeout(ms C.uint32_t) time.Duration {
	if ms == 0 {
		return peerlink.DefaultTimeout
	}
	return duration(ms)
}

// emptyArguments is what no bytes of arguments stand for, by codec.
var emptyArguments = map[peerlink.Codec][]byte{peerlink.JSON: []byte("[]"), peerlink.CBOR: {0x80}}

// nullResult is what a result of no bytes is given out as, by codec.
var nullResult = map[peerlink.Codec][]byte{peerlink.JSON: []byte("null"), peerlink.CBOR: {0xf6}}

func (n *node) request(args []byte) peerlink.Payload {
	if len(args) == 0 {
		args = emptyArguments[n.codec]
	}
	return peerlink.Payload{Codec: n.codec, Bytes: args}
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

// call is a pl_call.
type call struct {
	id, user uint64
	peer     uint32
	fn       string
	req      peerlink.Payload
	timeout  time.Duration
}

// beginCall sends a call on its way; its end is always a PL_EV_REPLY.
func (n *node) beginCall(c call) {
	s := n.running()
	if s == nil {
		n.refuseCall(c, peerlink.ErrClosed)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	if !n.out.add(c.id, cancel) {
		cancel()
		n.refuseCall(c, peerlink.ErrOverloaded)
		return
	}
	s.wg.Go(func() {
		defer cancel()
		defer n.out.remove(c.id)
		n.runCall(ctx, s, c)
	})
}

// refuseCall ends a call that was never made.
func (n *node) refuseCall(c call, err error) {
	n.endCall(c, nil, peerlink.Payload{}, err)
	if c.peer == C.PL_PEER_ALL {
		n.events.push(event{typ: C.PL_EV_REPLIES_END, id: c.id, user: c.user})
	}
}

func (n *node) runCall(ctx context.Context, s *session, c call) {
	if c.peer == C.PL_PEER_ALL {
		n.runCallAll(ctx, s, c)
		return
	}
	p := n.peers.get(c.peer)
	result, err := callPeer(ctx, p, c.fn, c.req)
	n.endCall(c, p, result, err)
}

func (n *node) runCallAll(ctx context.Context, s *session, c call) {
	defer n.events.push(event{typ: C.PL_EV_REPLIES_END, id: c.id, user: c.user})
	defer n.caught("call of all peers")
	for p, r := range peerlink.CallAllRaw(ctx, s.core, c.fn, c.req) {
		n.endCall(c, p, r.Value, r.Err)
	}
}

// callPeer is CallRaw that survives a peer that is gone, and a panic.
func callPeer(ctx context.Context, p *peerlink.Peer, fn string, req peerlink.Payload) (_ peerlink.Payload, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicError(r)
		}
	}()
	if p == nil {
		return peerlink.Payload{}, peerlink.ErrPeerNotFound
	}
	return p.CallRaw(ctx, fn, req)
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

func (o *outbound) add(id uint64, cancel context.CancelFunc) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.running) >= maxCalls {
		return false
	}
	o.running[id] = cancel
	return true
}

func (o *outbound) remove(id uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.running, id)
}

func (o *outbound) cancel(id uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cancel := o.running[id]; cancel != nil {
		cancel()
	}
}

// served holds the calls of peers that the application has not answered.
type served struct {
	mu   sync.Mutex
	open map[uint64]chan<- answer
}

// answer is a pl_reply or a pl_reply_error.
type answer struct {
	result peerlink.Payload
	err    error
}

func (v *served) add(id uint64) <-chan answer {
	ch := make(chan answer, 1)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open[id] = ch
	return ch
}

func (v *served) remove(id uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.open, id)
}

// answer hands a to the handler that waits for it. Answers to calls that are
// answered, or over, are nobody's.
func (v *served) answer(id uint64, a answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ch := v.open[id]; ch != nil {
		ch <- a
		delete(v.open, id)
	}
}

// handler makes PL_EV_CALL events of calls of fn, and waits for their answers.
func (n *node) handler(s *session, fn string) peerlink.RawHandler {
	return func(ctx context.Context, req peerlink.Payload) (peerlink.Payload, error) {
		select {
		case <-s.ready:
		case <-ctx.Done():
			return peerlink.Payload{}, peerlink.ErrClosed
		}
		req, err := req.Convert(n.codec)
		if err != nil {
			return peerlink.Payload{}, err
		}
		id := uint64(C.plq_next_id(n.c))
		ch := n.served.add(id)
		defer n.served.remove(id)
		if !n.events.push(n.callEvent(ctx, id, fn, req.Bytes)) {
			return peerlink.Payload{}, &peerlink.RemoteError{Type: "Overloaded", Message: n.config.Name + " does not keep up"}
		}
		select {
		case a := <-ch:
			return a.result, a.err
		case <-ctx.Done():
			return peerlink.Payload{}, peerlink.ErrClosed
		}
	}
}

func (n *node) callEvent(ctx context.Context, id uint64, fn string, args []byte) event {
	caller, _ := peerlink.CallerFrom(ctx)
	e := event{typ: C.PL_EV_CALL, id: id, aux: uint16(len(fn)), data: args}
	e.name = fn + "\x00" + clip(caller.Name, C.PLQ_NAME_MAX-C.PLQ_FN_MAX-1)
	if !caller.Named {
		e.flags = C.PL_F_NO_CALLER
	}
	e.peer = n.peers.number(caller.Peer)
	return e
}
