package peerlink

import (
	"context"
	"sync"
	"time"

	core "github.com/peerlink/peerlink/core"
)

const maxCalls = 1024 // outgoing calls under way in one node

// ReplyHandler gets the outcome of one Call: exactly one of its methods is called,
// once, on a thread of its own. What they throw is logged.
type ReplyHandler interface {
	// OnReply brings the result, in CBOR.
	OnReply(cbor []byte) error
	// OnFail brings one of the Code constants and a text. For CodeRemote the text
	// is what the peer's function said.
	OnFail(code int32, message string) error
}

// Call calls a function of a peer and returns at once. cbor holds the arguments;
// empty stands for none. timeoutMillis 0 stands for the default of 5 seconds.
// handler may be null. The number it returns is for Cancel.
func (n *Node) Call(peer, function string, cbor []byte, timeoutMillis int32, handler ReplyHandler) (callID int64) {
	defer guard("call")
	req := payload(cbor, emptyArray)
	s := n.running()
	if s == nil {
		go finish(nil, handler, core.Payload{}, closed("call "+function))
		return 0
	}
	id, ctx, err := s.outbox.open(s.ctx, timeoutMillis)
	if err != nil {
		go finish(s, handler, core.Payload{}, err)
		return 0
	}
	go func() {
		defer s.outbox.done(id)
		res, err := s.call(ctx, peer, function, req)
		finish(s, handler, res, err)
	}()
	return id
}

// CallSync is Call that waits for the result. Inside OnEvent it holds up all
// events of this node: two nodes that call each other there wait in vain.
func (n *Node) CallSync(peer, function string, cbor []byte, timeoutMillis int32) (result []byte, err error) {
	defer export("call", &err)
	s := n.running()
	if s == nil {
		return nil, closed("call " + function)
	}
	id, ctx, err := s.outbox.open(s.ctx, timeoutMillis)
	if err != nil {
		return nil, err
	}
	defer s.outbox.done(id)
	res, err := s.call(ctx, peer, function, payload(cbor, emptyArray))
	return res.Bytes, err
}

// Cancel ends the wait for a call, which then fails with CodeCanceled; the peer
// may have run it nevertheless. It does nothing if the call is over.
func (n *Node) Cancel(callID int64) {
	defer guard("cancel")
	if s := n.running(); s != nil {
		s.outbox.cancel(callID)
	}
}

func (s *session) call(ctx context.Context, peer, function string, req core.Payload) (res core.Payload, err error) {
	err = protect("call "+function, func() error {
		p, err := s.core.Peer(peer)
		if err != nil {
			return err
		}
		if res, err = p.CallRaw(ctx, function, req); err != nil {
			return err
		}
		res, err = res.Convert(core.CBOR)
		if len(res.Bytes) == 0 && err == nil {
			res = payload(nil, null)
		}
		return err
	})
	return res, err
}

// finish tells handler. s may be nil.
func finish(s *session, handler ReplyHandler, res core.Payload, err error) {
	if handler == nil {
		return
	}
	thrown := protect("reply handler", func() error {
		if err != nil {
			return handler.OnFail(int32(core.CodeOf(err)), message(err))
		}
		return handler.OnReply(res.Bytes)
	})
	if thrown != nil && s != nil {
		s.log.Error("reply handler failed", "error", thrown)
	}
}

// The outbox holds the outgoing calls of a session.
type outbox struct {
	mu     sync.Mutex
	last   int64
	calls  map[int64]context.CancelFunc
	closed bool
	wg     sync.WaitGroup
}

func (b *outbox) open(parent context.Context, timeoutMillis int32) (int64, context.Context, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, nil, closed("call")
	}
	if len(b.calls) >= maxCalls {
		return 0, nil, &core.Error{Code: core.CodeOverloaded, Op: "call"}
	}
	timeout := time.Duration(timeoutMillis) * time.Millisecond
	if timeout <= 0 {
		timeout = core.DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(parent, timeout)
	if b.calls == nil {
		b.calls = make(map[int64]context.CancelFunc)
	}
	b.last++
	b.calls[b.last] = cancel
	b.wg.Add(1)
	return b.last, ctx, nil
}

func (b *outbox) done(id int64) {
	b.cancel(id)
	b.mu.Lock()
	delete(b.calls, id)
	b.mu.Unlock()
	b.wg.Done()
}

func (b *outbox) cancel(id int64) {
	b.mu.Lock()
	cancel := b.calls[id]
	b.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// close refuses further calls and waits until those under way have been told of.
func (b *outbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.wg.Wait()
}
