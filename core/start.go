package peerlink

import (
	"bytes"
	"context"
	"math"
	"sync"
	"time"

	"github.com/peerlink/peerlink/core/internal/rpc"
)

// StartCall is CallRaw that does not wait; the bindings use it. done is called exactly
// once: by the goroutine that reads the socket (perhaps one in a Call), by a timer, by
// whoever cancels or closes the node, or, if nothing could be sent, before StartCall
// returns. It must not block, and the bytes of its Payload are valid during the call only. A timeout of 0
// is DefaultTimeout, a negative one is none. cancel makes the call end with
// ErrCanceled, unless it is over. req.Bytes is copied if it is needed later.
func (p *Peer) StartCall(fn string, req Payload, timeout time.Duration, done func(Payload, error)) (cancel func()) {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	a := &asyncCall{peer: p, fn: fn, req: req, done: done}
	if timeout > 0 {
		a.deadline = time.Now().Add(timeout)
	}
	switch s, err := p.session.Load(), p.callable(fn); {
	case s != nil:
		a.onSession(s)
	case err != nil:
		done(Payload{}, err)
	case p.speaks() == dialectJSON:
		a.inJSON()
	default:
		a.wait()
	}
	return a.cancel
}

// asyncCall is one StartCall. It is in one stage at a time: waiting for a handshake, on
// its way in a session or in JSON, or over.
type asyncCall struct {
	peer     *Peer
	fn       string
	req      Payload
	owned    bool // req is a copy
	done     func(Payload, error)
	deadline time.Time

	mu       sync.Mutex
	stop     func() bool // gives the call up; reports whether done will not be called by others
	canceled bool
	ended    bool
}

// cancel ends the call, unless it is over.
func (a *asyncCall) cancel() {
	a.mu.Lock()
	a.canceled = true
	a.mu.Unlock()
	a.heed()
}

// enter begins a stage, which stop gives up.
func (a *asyncCall) enter(stop func() bool) {
	a.mu.Lock()
	a.stop = stop
	a.mu.Unlock()
	a.heed()
}

// heed ends a call that was canceled, in whatever stage it is.
func (a *asyncCall) heed() {
	a.mu.Lock()
	stop := a.stop
	if !a.canceled || a.ended {
		stop = nil
	}
	a.mu.Unlock()
	if stop != nil && stop() {
		a.end(Payload{}, contextError("call "+a.fn, a.peer.Name(), context.Canceled))
	}
}

func (a *asyncCall) end(result Payload, err error) {
	a.mu.Lock()
	ended := a.ended
	a.ended = true
	a.mu.Unlock()
	if !ended {
		a.done(result, err)
	}
}

// own copies the request, once: it is needed when StartCall has returned.
func (a *asyncCall) own() {
	if !a.owned {
		a.req.Bytes, a.owned = bytes.Clone(a.req.Bytes), true
	}
}

func (a *asyncCall) onSession(s *session) {
	if err := a.peer.fits(s, a.fn, a.req); err != nil {
		a.end(Payload{}, err)
		return
	}
	if a.req.Codec == JSON {
		a.req.Bytes = escaped(a.req.Bytes)
	}
	a.own() // the link refers to it until it is acknowledged
	c := newCall(func(r reply) { a.end(a.peer.outcome(a.fn, r)) })
	id, err := s.start(c, a.fn, a.req, a.deadline)
	switch {
	case err == errGone: // nothing was sent: there may be another session, or none for the node is closing
		c.discard()
		a.wait()
	case err != nil:
		c.discard()
		a.end(Payload{}, a.peer.failed(a.fn, codeOfStart(err), err))
	default:
		a.enter(func() bool {
			gone := s.abandon(id, c)
			if gone {
				c.release()
			}
			return gone
		})
	}
}

// wait waits for a handshake.
func (a *asyncCall) wait() {
	a.own()
	a.enter(nil)
	stop := a.peer.node.shakes.join(a.peer, a.deadline, func(s *session, err error) {
		switch err := a.peer.joinError(a.fn, err); {
		case err != nil:
			a.end(Payload{}, err)
		case s != nil:
			a.onSession(s)
		default:
			a.inJSON()
		}
	})
	a.mu.Lock()
	if a.stop == nil && !a.ended { // the handshake was not quicker
		a.stop = stop
	}
	a.mu.Unlock()
	a.heed()
}

// inJSON calls a 1.x node.
func (a *asyncCall) inJSON() {
	p := a.peer
	var call rpc.Call[reply]
	remove := func() bool { return p.node.pending.Remove(&call) }
	// Made before the call is entered, armed after: whoever answers sees it.
	timer := time.AfterFunc(math.MaxInt64, func() {
		p.node.late.RLock()
		defer p.node.late.RUnlock()
		if remove() {
			p.node.suspect(p)
			a.end(Payload{}, contextError("call "+a.fn, p.Name(), context.DeadlineExceeded))
		}
	})
	err := p.begin(&call, a.fn, a.req, func(r reply) {
		timer.Stop()
		a.end(p.outcome(a.fn, r))
	})
	switch {
	case err != nil:
		timer.Stop()
		a.end(Payload{}, err)
	case !a.deadline.IsZero():
		timer.Reset(max(time.Until(a.deadline), 0))
		if !p.node.pending.Waiting(&call) { // the answer was quicker
			timer.Stop()
		}
	}
	if err == nil {
		a.enter(remove)
	}
}
