package peerlink

import (
	"context"
	"strconv"
	"sync"

	core "github.com/peerlink/peerlink/core"
)

// Register lets peers call function. Each call comes as an EventCall. Register
// may be called before Start, which then reports a name that cannot be used, and
// a registration outlives Stop.
func (n *Node) Register(function string) (err error) {
	defer export("register", &err)
	if n == nil || function == "" {
		return invalid("register", "no function name")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.session; s != nil {
		if err := s.core.HandleRaw(function, n.serve(s, function)); err != nil {
			return err
		}
	}
	if n.functions == nil {
		n.functions = make(map[string]bool)
	}
	n.functions[function] = true
	return nil
}

// Unregister ends what Register began. Calls under way can still be answered.
func (n *Node) Unregister(function string) {
	defer guard("unregister")
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.functions, function)
	if n.session != nil {
		n.session.core.Unhandle(function)
	}
}

// Reply answers a call with one CBOR value; empty stands for null. It fails with
// CodeInvalid if the call was answered before, or nobody waits for it any more.
func (n *Node) Reply(callID int64, cbor []byte) (err error) {
	defer export("reply", &err)
	return n.answer(callID, answer{result: payload(cbor, null)})
}

// ReplyError answers a call with an error: its class, such as "ValueError", which
// may be empty, and what it says. It fails like Reply.
func (n *Node) ReplyError(callID int64, errorType, message string) (err error) {
	defer export("reply", &err)
	return n.answer(callID, answer{err: &core.RemoteError{Type: errorType, Message: message}})
}

// Waits tells whether somebody waits for the answer to a call: no longer if it was
// answered, the caller has canceled it or is gone, or its time is over. For functions
// that take long, to ask now and then.
func (n *Node) Waits(callID int64) bool {
	defer guard("waits")
	return n != nil && n.inbox.waits(callID)
}

func (n *Node) answer(callID int64, a answer) error {
	if n == nil || !n.inbox.answer(callID, a) {
		return invalid("reply", "nobody waits for call "+strconv.FormatInt(callID, 10))
	}
	return nil
}

// handlers returns core's handlers of what is registered.
func (n *Node) handlers(s *session) map[string]any {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := make(map[string]any, len(n.functions))
	for name := range n.functions {
		m[name] = n.serve(s, name)
	}
	return m
}

// serve returns core's handler of function: it makes an event of a call and waits
// for Reply or ReplyError.
func (n *Node) serve(s *session, function string) core.RawHandler {
	return func(ctx context.Context, req core.Payload) (core.Payload, error) {
		args, err := req.Convert(core.CBOR)
		if err != nil {
			return core.Payload{}, err
		}
		args = payload(args.Bytes, emptyArray)
		e := callEvent(ctx, function, args.Bytes)
		var answered <-chan answer
		e.callID, answered = n.inbox.open()
		defer n.inbox.close(e.callID)
		if err := s.post(ctx, e); err != nil {
			return core.Payload{}, err
		}
		select {
		case a := <-answered:
			return a.result, a.err
		case <-ctx.Done(): // nobody hears what follows, unless this node is closing
			return core.Payload{}, closed("serve")
		case <-s.ctx.Done():
			return core.Payload{}, closed("serve")
		}
	}
}

func callEvent(ctx context.Context, function string, args []byte) *Event {
	e := &Event{kind: EventCall, name: function, data: args}
	if c, ok := core.CallerFrom(ctx); ok {
		e.peerName = c.Name
		e.addr = c.Addr.String()
		e.authenticated = c.Authenticated
		if c.Peer != nil {
			e.peerID = c.Peer.ID().String()
		}
	}
	return e
}

// An answer is one of the two.
type answer struct {
	result core.Payload
	err    error
}

// The inbox holds the calls of peers that wait for an answer. core's limit on
// running handlers bounds it.
type inbox struct {
	mu    sync.Mutex
	last  int64
	calls map[int64]chan<- answer // capacity 1; removed by the answer or the end of the wait
}

func (b *inbox) open() (int64, <-chan answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls == nil {
		b.calls = make(map[int64]chan<- answer)
	}
	b.last++
	c := make(chan answer, 1)
	b.calls[b.last] = c
	return b.last, c
}

func (b *inbox) close(id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.calls, id)
}

func (b *inbox) waits(id int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[id] != nil
}

// answer reports whether somebody waited for it.
func (b *inbox) answer(id int64, a answer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.calls[id]
	if c == nil {
		return false
	}
	delete(b.calls, id)
	c <- a
	return true
}
