package main

// #include "plq.h"
import "C"

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
)

// maxWaiting bounds the calls of pl_call_wait that it returned from too early.
const maxWaiting = 256

// waits are the calls of pl_call_wait that may outlive it: those made in slices,
// and those whose result was too large for the buffer.
type waits struct {
	mu    sync.Mutex
	open  map[uint64]*waiting
	order []uint64 // of open, by age
}

// waiting is one of them. result and err are set when done is closed.
type waiting struct {
	cancel context.CancelFunc
	done   chan struct{}
	result []byte
	err    error
}

var (
	errAgain = &statusError{C.PL_E_AGAIN, "no answer yet"}
	errRoom  = &peerlink.Error{Code: peerlink.CodeTooLarge, Err: errors.New("the result is larger than the buffer")}
)

// waitCall is what pl_call_wait was given. Of a call that is under way only id,
// slice and room matter.
type waitCall struct {
	id             *uint64 // nil if the call cannot be continued
	peer           uint32
	fn             string
	req            peerlink.Payload
	timeout, slice time.Duration
	room           int // bytes in the buffer
}

func (c waitCall) isNew() bool { return c.id == nil || *c.id == 0 }

// callWait begins or continues a call. With errRoom it returns the whole result.
func (n *node) callWait(c waitCall) ([]byte, error) {
	if !c.isNew() {
		w := n.waits.get(*c.id)
		if w == nil {
			return nil, invalid("call %d is not waited for", *c.id)
		}
		return n.waits.await(c, w)
	}
	if n.running() == nil {
		return nil, errNotStarted
	}
	p := n.peers.get(c.peer)
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	if c.id == nil {
		defer cancel()
		result, err := n.finish(callPeer(ctx, p, c.fn, c.req))
		if len(result) > c.room {
			err = errRoom
		}
		return result, err
	}
	w := &waiting{cancel: cancel, done: make(chan struct{})}
	run := func() {
		defer cancel()
		defer close(w.done)
		w.result, w.err = n.finish(callPeer(ctx, p, c.fn, c.req))
	}
	id := uint64(C.plq_next_id(n.c))
	if !n.waits.add(id, w) {
		cancel()
		return nil, peerlink.ErrOverloaded
	}
	*c.id = id
	if c.slice > 0 {
		go run()
	} else {
		run()
	}
	return n.waits.await(c, w)
}

// await waits for one slice. A call that has ended, and whose result fits, is
// forgotten, and its id set to 0.
func (t *waits) await(c waitCall, w *waiting) ([]byte, error) {
	var over <-chan time.Time
	if c.slice > 0 {
		timer := time.NewTimer(c.slice)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-w.done:
	case <-over:
		return nil, errAgain
	}
	if len(w.result) > c.room {
		return w.result, errRoom
	}
	t.remove(*c.id)
	*c.id = 0
	return w.result, w.err
}

func (t *waits) get(id uint64) *waiting {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[id]
}

// add enters a call. If there are too many it forgets the oldest that has ended; it
// reports false if none has.
func (t *waits) add(id uint64, w *waiting) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) >= maxWaiting && !t.forgetOldest() {
		return false
	}
	t.open[id] = w
	t.order = append(t.order, id)
	return true
}

func (t *waits) forgetOldest() bool {
	for i, id := range t.order {
		select {
		case <-t.open[id].done:
			delete(t.open, id)
			t.order = slices.Delete(t.order, i, i+1)
			return true
		default:
		}
	}
	return false
}

func (t *waits) remove(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
	if i := slices.Index(t.order, id); i >= 0 {
		t.order = slices.Delete(t.order, i, i+1)
	}
}

// cancel ends a call; who waits for it is told.
func (t *waits) cancel(id uint64) {
	if w := t.get(id); w != nil {
		w.cancel()
	}
}
