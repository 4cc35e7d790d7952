package main

// #include "plq.h"
import "C"

import (
	"sync"

	peerlink "github.com/peerlink/peerlink/core"
)

// served holds the calls of peers that the application has not answered, by pl_id.
type served struct {
	mu   sync.Mutex
	open map[uint64]*peerlink.Request
}

func (v *served) add(id uint64, r *peerlink.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open[id] = r
}

// take returns nil for a call that is answered, or over.
func (v *served) take(id uint64) *peerlink.Request {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.open[id]
	delete(v.open, id)
	return r
}

// wanted reports whether somebody waits for the answer of a call.
func (v *served) wanted(id uint64) bool {
	v.mu.Lock()
	r := v.open[id]
	v.mu.Unlock()
	return r != nil && r.Context().Err() == nil
}

func (v *served) reply(id uint64, result peerlink.Payload) {
	if r := v.take(id); r != nil {
		r.Reply(result)
	}
}

func (v *served) fail(id uint64, err error) {
	if r := v.take(id); r != nil {
		r.Fail(err)
	}
}

// clear forgets the calls of a session that is over: core has failed them.
func (v *served) clear() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.open)
}

// handler makes PL_EV_CALL events of calls of fn. Core calls it on the goroutine
// that reads the socket.
func (n *node) handler(s *session, fn string) func(*peerlink.Request) {
	return func(r *peerlink.Request) { s.serve(func() { n.serve(r, fn) }) }
}

func (n *node) serve(r *peerlink.Request, fn string) {
	req, err := r.Payload.Convert(n.codec)
	if err != nil {
		r.Fail(err)
		return
	}
	id := uint64(C.plq_next_id(n.c))
	n.served.add(id, r)
	if !n.events.push(n.callEvent(id, r.Caller, fn, n.request(req.Bytes).Bytes)) {
		n.served.fail(id, &peerlink.RemoteError{Type: "Overloaded", Message: n.config.Name + " does not keep up"})
	}
}

func (n *node) callEvent(id uint64, caller peerlink.Caller, fn string, args []byte) event {
	e := event{typ: C.PL_EV_CALL, id: id, aux: uint16(len(fn)), data: args}
	e.name = fn + "\x00" + clip(caller.Name, C.PLQ_NAME_MAX-C.PLQ_FN_MAX-1)
	if !caller.Named {
		e.flags |= C.PL_F_NO_CALLER
	}
	if caller.Fingerprint != (peerlink.Fingerprint{}) {
		e.flags |= C.PL_F_ENCRYPTED
	}
	if caller.Authenticated {
		e.flags |= C.PL_F_AUTHENTICATED
	}
	e.peer = n.peers.number(caller.Peer)
	return e
}
