package peerlink

import (
	"context"
	"iter"
	"math"
	"sync"
	"time"

	"github.com/peerlink/peerlink/core/internal/legacy"
	"github.com/peerlink/peerlink/core/internal/rpc"
	"github.com/peerlink/peerlink/core/internal/wire"
)

// Kwargs, given as the last argument of a call, are keyword arguments.
type Kwargs map[string]any

// Call invokes fn on the peer and decodes its result into out, which may be nil.
// Without a deadline in ctx it gives up after DefaultTimeout.
//
// Arguments and results are what CBOR can express: numbers of any size, strings,
// slices, maps with string keys, structs (with cbor or json tags), nil. Encoded as
// JSON, the whole request must fit into 1200 bytes, and so must the answer.
//
// The request is sent once: it runs at most once, and a lost datagram is a time-out.
func (p *Peer) Call(ctx context.Context, out any, fn string, args ...any) error {
	req, err := encodeArguments(args)
	if err != nil {
		return &Error{Code: CodeInvalid, Op: "call " + fn, Peer: p.Name(), Err: err}
	}
	result, err := p.CallRaw(ctx, fn, req)
	if err != nil {
		return err
	}
	return decodeResult(result, out, fn, p)
}

func encodeArguments(args []any) (Payload, error) {
	var kwargs Kwargs
	if k := len(args); k > 0 {
		if kw, ok := args[k-1].(Kwargs); ok {
			args, kwargs = args[:k-1], kw
		}
	}
	if args == nil {
		args = []any{}
	}
	b, err := wire.Marshal(args)
	if err == nil && len(kwargs) > 0 {
		var kw []byte
		kw, err = wire.Marshal(map[string]any(kwargs))
		b = append(b, kw...)
	}
	return Payload{Codec: CBOR, Bytes: b}, err
}

func decodeResult(result Payload, out any, fn string, p *Peer) error {
	if out == nil {
		return nil
	}
	result, err := result.Convert(CBOR)
	if err == nil {
		err = wire.Unmarshal(result.Bytes, out)
	}
	if err != nil {
		return &Error{Code: CodeInvalid, Op: "decode result of " + fn, Peer: p.Name(), Err: rootCause(err)}
	}
	return nil
}

// CallRaw is Call on encoded bytes; the bindings use it. The result is in JSON if
// the peer speaks the 1.x dialect.
func (p *Peer) CallRaw(ctx context.Context, fn string, req Payload) (Payload, error) {
	result, err := p.call(ctx, fn, req)
	if err == nil {
		return result, nil
	}
	if code := CodeOf(err); code == CodeTimeout {
		p.node.suspect(p)
	}
	return Payload{}, err
}

func (p *Peer) call(ctx context.Context, fn string, req Payload) (Payload, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	var call rpc.Call[reply]
	answer := make(chan reply, 1)
	if err := p.begin(&call, fn, req, func(r reply) { answer <- r }); err != nil {
		return Payload{}, err
	}
	select {
	case r := <-answer:
		return p.outcome(fn, r)
	case <-ctx.Done():
		p.node.pending.Remove(&call)
		return Payload{}, contextError("call "+fn, p.Name(), ctx.Err())
	}
}

// StartCall is CallRaw that does not wait; the bindings use it. It encodes and sends
// on the calling goroutine. done is called exactly once: by the goroutine that reads
// the socket, by a timer, by whoever cancels or closes the node, or, if nothing could
// be sent, before StartCall returns. It must not block. A timeout of 0 is
// DefaultTimeout, a negative one is none. cancel makes the call end with ErrCanceled,
// unless it is over.
func (p *Peer) StartCall(fn string, req Payload, timeout time.Duration, done func(Payload, error)) (cancel func()) {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	var call rpc.Call[reply]
	end := func(cause error) bool {
		ended := p.node.pending.Remove(&call)
		if ended {
			done(Payload{}, contextError("call "+fn, p.Name(), cause))
		}
		return ended
	}
	// Made before the call is entered, armed after: whoever answers sees it.
	timer := time.AfterFunc(math.MaxInt64, func() {
		p.node.late.RLock()
		defer p.node.late.RUnlock()
		if end(context.DeadlineExceeded) {
			p.node.suspect(p)
		}
	})
	err := p.begin(&call, fn, req, func(r reply) {
		timer.Stop()
		done(p.outcome(fn, r))
	})
	switch {
	case err != nil:
		timer.Stop()
		done(Payload{}, err)
		return func() {}
	case timeout > 0:
		timer.Reset(timeout)
		if !p.node.pending.Waiting(&call) { // the answer was quicker
			timer.Stop()
		}
	}
	return func() {
		timer.Stop()
		end(context.Canceled)
	}
}

// begin enters a call and sends its request. If it fails, done will not be called.
func (p *Peer) begin(call *rpc.Call[reply], fn string, req Payload, done func(reply)) error {
	fail := func(code Code, err error) error {
		return &Error{Code: code, Op: "call " + fn, Peer: p.Name(), Err: err}
	}
	if state := p.state.Load(); !state.Up && !state.Static {
		return fail(CodePeerNotFound, nil)
	}
	req, err := req.Convert(JSON)
	if err != nil {
		return fail(CodeInvalid, rootCause(err))
	}
	args, kwargs, err := req.arguments()
	if err != nil {
		return fail(CodeInvalid, err)
	}
	args, kwargs = escaped(args), escaped(kwargs)
	switch err := p.node.pending.Add(call, done); err {
	case nil:
	case rpc.ErrClosed:
		return fail(CodeClosed, ErrClosed.Err)
	default:
		return fail(CodeOverloaded, err)
	}
	err = p.node.sendRequest(p, call, fn, args, kwargs)
	if err != nil && p.node.pending.Remove(call) {
		return err
	}
	return nil
}

// outcome turns an answer into what a call returns.
func (p *Peer) outcome(fn string, r reply) (Payload, error) {
	op := "call " + fn
	if r.closed {
		return Payload{}, &Error{Code: CodeClosed, Op: op, Peer: p.Name(), Err: ErrClosed.Err}
	}
	p.noteHeard(r.at, r.from)
	if r.err != nil {
		code := CodeRemote
		if r.err.Type == overloaded {
			code = CodeOverloaded
		}
		return Payload{}, &Error{Code: code, Op: op, Peer: p.Name(), Err: &RemoteError{Type: r.err.Type, Message: r.err.Message}}
	}
	return Payload{Codec: JSON, Bytes: r.result}, nil
}

// sendRequest writes the request of a call.
func (n *Node) sendRequest(p *Peer, c *rpc.Call[reply], fn string, args, kwargs []byte) error {
	op := "call " + fn
	buf := packets.Get().(*[]byte)
	defer packets.Put(buf)
	b, err := legacy.AppendRequest((*buf)[:0], legacy.Call{
		ID: string(c.ID[:]), Src: n.AnnouncedName(), Dst: p.Name(), Func: fn, Args: args, Kwargs: kwargs,
	})
	if err != nil {
		return &Error{Code: CodeTooLarge, Op: op, Peer: p.Name(), Err: err}
	}
	if err = n.send(b, p.Addr()); err == nil {
		return nil
	}
	e := ioError(op, err).(*Error)
	e.Peer = p.Name()
	return e
}

// packets are buffers for requests: they are written and forgotten within a call.
var packets = sync.Pool{New: func() any {
	b := make([]byte, 0, legacy.MaxPayload)
	return &b
}}

// Call is the typed form of Peer.Call.
func Call[T any](ctx context.Context, p *Peer, fn string, args ...any) (T, error) {
	var out T
	err := p.Call(ctx, &out, fn, args...)
	return out, err
}

// A Result is what one of many peers answered.
type Result[T any] struct {
	Value T
	Err   error
}

// CallAll calls fn on every peer that is up, all at once, and yields each result as
// it arrives. One slow peer delays no other. Ending the loop cancels the rest.
func CallAll[T any](ctx context.Context, n *Node, fn string, args ...any) iter.Seq2[*Peer, Result[T]] {
	req, err := encodeArguments(args)
	return callAll(ctx, n, func(ctx context.Context, p *Peer) (value T, _ error) {
		if err != nil {
			return value, &Error{Code: CodeInvalid, Op: "call " + fn, Peer: p.Name(), Err: err}
		}
		result, err := p.CallRaw(ctx, fn, req)
		if err != nil {
			return value, err
		}
		return value, decodeResult(result, &value, fn, p)
	})
}

// CallAllRaw is CallAll on encoded bytes; the bindings use it.
func CallAllRaw(ctx context.Context, n *Node, fn string, req Payload) iter.Seq2[*Peer, Result[Payload]] {
	return callAll(ctx, n, func(ctx context.Context, p *Peer) (Payload, error) {
		return p.CallRaw(ctx, fn, req)
	})
}

func callAll[T any](ctx context.Context, n *Node, call func(context.Context, *Peer) (T, error)) iter.Seq2[*Peer, Result[T]] {
	type answer struct {
		peer   *Peer
		result Result[T]
	}
	return func(yield func(*Peer, Result[T]) bool) {
		ctx, cancel := context.WithCancel(ctx)
		peers := n.peers.up()
		answers := make(chan answer, len(peers))
		var wg sync.WaitGroup
		defer wg.Wait() // no goroutine outlives the loop
		defer cancel()
		for _, p := range peers {
			wg.Go(func() {
				value, err := call(ctx, p)
				answers <- answer{p, Result[T]{value, err}}
			})
		}
		for range peers {
			if a := <-answers; !yield(a.peer, a.result) {
				return
			}
		}
	}
}
