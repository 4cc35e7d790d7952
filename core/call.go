package peerlink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync"
	"time"
	"unicode/utf8"

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
// slices, maps with string keys, structs (with cbor or json tags), nil. Each may have
// up to Limits.Message bytes. The call runs at most once, however many datagrams are
// lost.
//
// To a 1.x node the request is sent once, encoded as JSON. It must fit into 1200 bytes,
// and so must the answer, and a lost datagram is a time-out.
func (p *Peer) Call(ctx context.Context, out any, fn string, args ...any) error {
	req, err := encodeArguments(args)
	if err != nil {
		return &Error{Code: CodeInvalid, Op: "call " + fn, Peer: p.Name(), Err: err}
	}
	_, err = withResult(p, ctx, fn, req, func(result Payload, _ bool) (struct{}, error) {
		return struct{}{}, decodeResult(result, out, fn, p) // which copies
	})
	return err
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
	if len(result.Bytes) == 0 {
		result = Payload{JSON, []byte("null")}
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
	return withResult(p, ctx, fn, req, func(result Payload, borrowed bool) (Payload, error) {
		if borrowed {
			result.Bytes = bytes.Clone(result.Bytes)
		}
		return result, nil
	})
}

// withResult makes a call and gives its result to use, which may keep it unless it is
// borrowed.
func withResult[T any](p *Peer, ctx context.Context, fn string, req Payload, use func(result Payload, borrowed bool) (T, error)) (T, error) {
	var none T
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(DefaultTimeout)
	}
	for {
		s, err := p.connect(ctx, fn, deadline)
		if err != nil {
			return none, err
		}
		if s == nil {
			result, err := p.callJSON(ctx, fn, req, deadline)
			if err != nil {
				return none, err
			}
			return use(result, false)
		}
		if err := p.fits(s, fn, req); err != nil {
			return none, err
		}
		if req.Codec == JSON {
			req.Bytes = escaped(req.Bytes)
		}
		c := newCall(nil)
		id, err := s.start(c, fn, req, deadline)
		if err != nil {
			c.discard()
			if err == errGone && p.session.Load() != s {
				continue // there may be another
			}
			if p.node.ctx.Err() != nil {
				return none, p.failed(fn, CodeClosed, ErrClosed.Err)
			}
			return none, p.failed(fn, codeOfStart(err), err)
		}
		r := s.await(ctx, id, c)
		result, err := p.outcome(fn, r)
		if err != nil {
			c.release()
			return none, err
		}
		out, err := use(result, r.borrowed)
		c.release()
		return out, err
	}
}

// await waits until a call has ended, or ctx has.
func (s *session) await(ctx context.Context, id uint64, c *outCall) reply {
	done := ctx.Done()
	s.node.lead(ctx, c)
	if done == nil {
		return <-c.wait
	}
	select {
	case r := <-c.wait:
		return r
	case <-done:
		if !s.abandon(id, c) {
			return <-c.wait // it has just ended
		}
		cause := ctx.Err()
		if cause == context.DeadlineExceeded && c.working {
			cause = errStillRunning
		}
		return reply{code: contextError("", "", cause).(*Error).Code, cause: cause}
	}
}

func codeOfStart(err error) Code {
	if err == errTooMany {
		return CodeOverloaded
	}
	return CodeGone
}

func (p *Peer) failed(fn string, code Code, err error) error {
	return &Error{Code: code, Op: "call " + fn, Peer: p.Name(), Err: err}
}

// fits checks a request before any of it is sent.
func (p *Peer) fits(s *session, fn string, req Payload) error {
	most := min(uint64(p.node.limits.Message), s.about.MaxMessage)
	switch {
	case uint64(len(req.Bytes)) > most:
		return p.failed(fn, CodeTooLarge, tooLarge("arguments", uint64(len(req.Bytes)), int(most)))
	case len(fn) > wire.MaxName || !utf8.ValidString(fn):
		return p.failed(fn, CodeInvalid, fmt.Errorf("the name of a function is at most %d bytes of UTF-8", wire.MaxName))
	case len(req.Bytes) > 0 && req.Codec != JSON && req.Codec != CBOR:
		return p.failed(fn, CodeInvalid, fmt.Errorf("no codec %d", req.Codec))
	}
	return nil
}

// speaks tells which dialect a peer is to be spoken to in.
func (p *Peer) speaks() int32 {
	d, state := p.dialect.Load(), p.state.Load()
	switch {
	case d == dialectNative || state.Native != 0 || !p.node.compat:
		return dialectNative
	case d == dialectJSON || state.Found:
		return dialectJSON
	default:
		return dialectUnknown
	}
}

// connect returns the session with p, after a handshake if there is none yet; nil if
// p is a 1.x node.
func (p *Peer) connect(ctx context.Context, fn string, deadline time.Time) (*session, error) {
	if s := p.session.Load(); s != nil {
		return s, nil
	}
	if err := p.callable(fn); err != nil {
		return nil, err
	}
	if p.speaks() == dialectJSON {
		return nil, nil
	}
	type joined struct {
		s   *session
		err error
	}
	got := make(chan joined, 1)
	stop := p.node.shakes.join(p, deadline, func(s *session, err error) { got <- joined{s, err} })
	select {
	case j := <-got:
		return j.s, p.joinError(fn, j.err)
	case <-ctx.Done():
		if !stop() {
			j := <-got
			return j.s, p.joinError(fn, j.err)
		}
		p.node.suspect(p)
		if why := p.node.shakes.why(p); why != nil {
			return nil, p.joinError(fn, refusedError{why})
		}
		return nil, contextError("call "+fn, p.Name(), ctx.Err())
	}
}

// refusedError says that a peer answered, but may not be spoken with.
type refusedError struct{ error }

// joinError says why there is no session.
func (p *Peer) joinError(fn string, err error) error {
	code := CodeGone
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(refusedError)):
		code = CodeUnauthenticated
	case errors.Is(err, context.DeadlineExceeded):
		code = CodeTimeout
		p.node.suspect(p)
	case errors.Is(err, net.ErrClosed):
		code = CodeClosed
	case err == errTooMany:
		code = CodeOverloaded
	}
	return p.failed(fn, code, err)
}

// callable reports whether it makes sense to call p.
func (p *Peer) callable(fn string) error {
	if p.node.ctx.Err() != nil {
		return p.failed(fn, CodeClosed, ErrClosed.Err)
	}
	if state := p.state.Load(); !state.Up && !state.Static {
		return p.failed(fn, CodePeerNotFound, nil)
	}
	return p.downgraded(fn)
}

// downgraded refuses to speak JSON under a name that has spoken the native protocol:
// whoever announces it without is not who had it before.
func (p *Peer) downgraded(fn string) error {
	if p.speaks() != dialectJSON {
		return nil
	}
	if p.node.shakes.knows(p.Name()) {
		return p.failed(fn, CodeUnauthenticated, errDowngrade)
	}
	return nil
}

var errDowngrade = errors.New("the node of that name encrypted its traffic so far")

// callJSON is a call in the 1.x dialect. The request is sent once: a 1.x node would
// run a repeated one twice.
func (p *Peer) callJSON(ctx context.Context, fn string, req Payload, deadline time.Time) (Payload, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
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
		if ctx.Err() == context.DeadlineExceeded {
			p.node.suspect(p)
		}
		return Payload{}, contextError("call "+fn, p.Name(), ctx.Err())
	}
}

// begin enters a call in the 1.x dialect and sends its request. If it fails, done
// will not be called.
func (p *Peer) begin(call *rpc.Call[reply], fn string, req Payload, done func(reply)) error {
	req, err := req.Convert(JSON)
	if err != nil {
		return p.failed(fn, CodeInvalid, rootCause(err))
	}
	args, kwargs, err := req.arguments()
	if err != nil {
		return p.failed(fn, CodeInvalid, err)
	}
	args, kwargs = escaped(args), escaped(kwargs)
	switch err := p.node.pending.Add(call, done); err {
	case nil:
	case rpc.ErrClosed:
		return p.failed(fn, CodeClosed, ErrClosed.Err)
	default:
		return p.failed(fn, CodeOverloaded, err)
	}
	err = p.node.sendRequest(p, call, fn, args, kwargs)
	if err != nil && p.node.pending.Remove(call) {
		return err
	}
	return nil
}

// outcome turns an answer into what a call returns.
func (p *Peer) outcome(fn string, r reply) (Payload, error) {
	if r.from.IsValid() {
		p.noteHeard(r.at, r.from)
	}
	switch {
	case r.code == 0:
		return r.result, nil
	case r.code == CodeTimeout && r.remote != nil && r.remote.Type == timedOut:
		return Payload{}, p.failed(fn, CodeTimeout, errStillRunning)
	case r.code == CodeTimeout && r.remote != nil:
		return Payload{}, p.failed(fn, CodeTimeout, timeoutError{"timed out: " + r.remote.Message})
	case r.remote != nil:
		return Payload{}, p.failed(fn, r.code, r.remote)
	case r.code == CodeTimeout && r.cause == nil:
		p.node.suspect(p)
		return Payload{}, p.failed(fn, CodeTimeout, context.DeadlineExceeded)
	case r.code == CodeClosed:
		return Payload{}, p.failed(fn, CodeClosed, ErrClosed.Err)
	default:
		return Payload{}, p.failed(fn, r.code, r.cause)
	}
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
		return withResult(p, ctx, fn, req, func(result Payload, _ bool) (value T, err error) {
			return value, decodeResult(result, &value, fn, p)
		})
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
