package peerlink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/peerlink/peerlink/core/internal/legacy"
	"github.com/peerlink/peerlink/core/internal/link"
)

// timedOut is the type of the error of a handler that was too slow.
const timedOut = "TimeoutError"

// overloaded is the type of the error that a full gate answers with.
const overloaded = "Overloaded"

// maxIdle is how many goroutines wait for the next request. Each new one would grow
// its stack anew, which takes longer than the rest of a call.
const maxIdle = 32

// A Request is a call of a peer that waits to be answered, by Reply or Fail, from
// any goroutine. The first answer counts.
type Request struct {
	Func    string
	Payload Payload // the arguments
	Caller  Caller

	node     *Node
	sess     *session       // nil in the 1.x dialect
	call     uint64         // its number in sess
	id       []byte         // in the 1.x dialect: raw JSON, to be echoed
	from     netip.AddrPort // Caller.Addr, which the application could change
	ctx      requestContext
	answered atomic.Bool
}

// gateKey is whom a request counts for: a key, or an address in the 1.x dialect.
type gateKey struct {
	id   ID
	addr netip.AddrPort
}

func (s *session) gateKey() gateKey { return gateKey{id: ID(s.about.ID)} }

func (r *Request) gateKey() gateKey {
	if r.sess != nil {
		return r.sess.gateKey()
	}
	return gateKey{addr: r.from}
}

// Context returns what ends when nobody waits for the answer any more.
func (r *Request) Context() context.Context { return &r.ctx }

// Reply answers with a result. It encodes and sends on the calling goroutine.
func (r *Request) Reply(result Payload) { r.answer(result, nil) }

// Fail answers with an error; a *RemoteError chooses what the caller sees.
func (r *Request) Fail(err error) { r.answer(Payload{}, err) }

func (r *Request) answer(result Payload, err error) {
	if r.answered.Swap(true) {
		return
	}
	n := r.node
	defer n.gate.Leave(r.gateKey())
	defer r.ctx.cancel()
	defer n.open.remove(r)
	if r.sess != nil {
		r.answerNative(result, err)
		return
	}
	if err == nil {
		result, err = checkedJSON(result)
	}
	if err != nil {
		n.refuse(r.id, r.from, asRemote(err))
	} else {
		buf := packets.Get().(*[]byte)
		n.sendTo(r.from, legacy.AppendResponse((*buf)[:0], r.id, result.Bytes))
		packets.Put(buf)
	}
}

// answerNative sends what a caller of the native protocol gets.
func (r *Request) answerNative(result Payload, err error) {
	s, most := r.sess, min(r.node.limits.Message, int(min(r.sess.about.MaxMessage, maxMessage)))
	switch {
	case r.ctx.over():
		s.fail(r.call, CodeTimeout, &RemoteError{Type: timedOut, Message: "the time of the call was over"})
	case err == nil && len(result.Bytes) > most:
		s.fail(r.call, CodeTooLarge, &RemoteError{Type: "PeerLinkError", Message: tooLarge("result", uint64(len(result.Bytes)), most).Error()})
	case err == nil && result.Codec != JSON && result.Codec != CBOR && len(result.Bytes) > 0:
		s.fail(r.call, CodeRemote, &RemoteError{Type: "PeerLinkError", Message: fmt.Sprintf("no codec %d", result.Codec)})
	case err == nil && result.Codec == JSON:
		s.reply(r.call, 0, JSON, escaped(result.Bytes))
	case err == nil:
		s.reply(r.call, 0, result.Codec, result.Bytes)
	default:
		f := failureFor(err)
		s.fail(r.call, f.code, &f.remote)
	}
}

// failure is what the caller gets of a handler's error.
type failure struct {
	code   Code
	remote RemoteError
}

func (f *failure) Error() string { return f.remote.Error() }

// failureFor reads err, which may panic if it is the application's.
func failureFor(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	f := &failure{CodeRemote, *asRemote(err)}
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeClosed {
		f.code = CodeGone
	}
	if f.remote.Type == overloaded { // as the dialect of 1.x has it
		f.code = CodeOverloaded
	}
	return f
}

// nativeRequest makes the request of a call.
func (n *Node) nativeRequest(s *session, h *handler, now time.Time, in *link.Incoming, from netip.AddrPort) *Request {
	p := s.peer.Load()
	r := &Request{
		Func:    h.name,
		Payload: Payload{Codec: Codec(in.Codec), Bytes: in.Data},
		Caller: Caller{Name: s.about.Name, Named: true, Addr: from, Peer: p,
			Authenticated: !n.realm.Open(), Fingerprint: s.key},
		node: n, sess: s, call: in.ID, from: from,
	}
	r.ctx.node, r.ctx.caller = n, &r.Caller
	if in.Timeout > 0 {
		r.ctx.deadline = now.Add(in.Timeout)
	}
	return r
}

// own gives the request bytes of its own: those it has are the packet's.
func (r *Request) own() { r.Payload.Bytes = bytes.Clone(r.Payload.Bytes) }

// callAsync hands a request to an asynchronous handler.
func (n *Node) callAsync(h *handler, r *Request) {
	if !n.open.add(r) {
		r.Fail(ErrClosed)
		return
	}
	if err := n.guard(r, func() { h.async(r) }); err != nil {
		r.Fail(err)
	}
}

// dispatch hands a request, which has passed the gate, to its handler.
func (n *Node) dispatch(h *handler, m legacy.Message, src netip.AddrPort, p *Peer) {
	r := &Request{
		Func:    m.Func,
		Payload: Payload{Codec: JSON, Bytes: joinArguments(m.Args, m.Kwargs)},
		Caller:  Caller{Name: m.Src, Named: m.HasSrc, Addr: src, Peer: p},
		node:    n,
		id:      bytes.Clone(m.ID),
		from:    src,
	}
	r.ctx.node, r.ctx.caller = n, &r.Caller
	if h.async == nil {
		n.giveJob(job{h, r})
		return
	}
	n.callAsync(h, r)
}

// joinArguments makes a request payload. It copies.
func joinArguments(args, kwargs []byte) []byte {
	if len(kwargs) <= len("{}") {
		kwargs = nil
	}
	out := make([]byte, 0, len(args)+len(kwargs))
	return append(append(out, args...), kwargs...)
}

// A job is a request for a handler that may block.
type job struct {
	h   *handler
	req *Request
}

// giveJob finds an idle goroutine for j, or starts one.
func (n *Node) giveJob(j job) {
	select {
	case n.jobs <- j:
	default:
		n.spawn(func() { n.serve(j) })
	}
}

// serve runs jobs until there are enough others that wait for one.
func (n *Node) serve(j job) {
	for {
		began := time.Now()
		n.run(j)
		j.h.quick.ran(time.Since(began))
		if n.idle.Add(1) > maxIdle {
			n.idle.Add(-1)
			return
		}
		select {
		case j = <-n.jobs:
			n.idle.Add(-1)
		case <-n.done:
			return
		}
	}
}

// run calls a handler and answers what it returns. All of it that touches what the
// handler made is guarded: even Error may panic, on a nil pointer for example.
func (n *Node) run(j job) {
	failed := &failure{CodeRemote, RemoteError{Type: "Panic", Message: "the handler ended its goroutine"}} // if nothing else becomes known
	var result Payload
	defer func() {
		if failed != nil {
			j.req.Fail(failed)
		} else {
			j.req.Reply(result)
		}
	}()
	err := n.guard(j.req, func() {
		r, err := j.h.raw(&j.req.ctx, j.req.Payload)
		if err != nil {
			failed = failureFor(err)
			return
		}
		result, failed = r, nil
	})
	if err != nil {
		failed = failureFor(err)
	}
}

// guard makes an error of a panic: a bug in one handler is no reason to end the
// node.
func (n *Node) guard(r *Request, fn func()) (err *RemoteError) {
	defer func() {
		if p := recover(); p != nil {
			n.log.Error("handler panicked", "func", r.Func, "caller", r.Caller.Name, "panic", p, "stack", string(debug.Stack()))
			err = &RemoteError{Type: "Panic", Message: fmt.Sprint(p)}
		}
	}()
	fn()
	return nil
}

// refuse answers with an error.
func (n *Node) refuse(id []byte, to netip.AddrPort, e *RemoteError) {
	n.sendTo(to, legacy.AppendError(nil, id, e.Type, e.Message))
}

// checkedJSON converts p for the wire, on which nothing but valid JSON may go.
func checkedJSON(p Payload) (Payload, error) {
	if len(p.Bytes) == 0 {
		return Payload{Codec: JSON}, nil
	}
	if p.Codec == JSON {
		err := legacy.Valid(p.Bytes)
		if err == nil {
			p.Bytes = escaped(p.Bytes)
		}
		return p, err
	}
	return p.Convert(JSON)
}

// escaped writes a lone surrogate, which the application may give as its three
// bytes, as an escape: the rest of the world takes those bytes for garbage.
func escaped(json []byte) []byte {
	if utf8.Valid(json) {
		return json
	}
	out, err := legacy.Normalize(nil, json)
	if err != nil {
		return json // it has been checked before
	}
	return out
}

// asRemote chooses what the caller sees of a handler's error.
func asRemote(err error) *RemoteError {
	if f, ok := errors.AsType[*failure](err); ok {
		return &f.remote
	}
	if r, ok := errors.AsType[*RemoteError](err); ok {
		return r
	}
	if _, ok := errors.AsType[*legacy.NotEncodableError](err); ok {
		return &RemoteError{Type: "TypeError", Message: rootCause(err).Error()}
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return &RemoteError{Type: "PeerLinkError", Message: err.Error()}
	}
	return &RemoteError{Type: "Error", Message: err.Error()}
}

// requests are those of asynchronous handlers that have not been answered.
type requests struct {
	mu     sync.Mutex
	open   map[*Request]struct{} // as many as the gate lets in
	closed bool
}

func (q *requests) add(r *Request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if q.open == nil {
		q.open = make(map[*Request]struct{})
	}
	q.open[r] = struct{}{}
	return true
}

func (q *requests) remove(r *Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, r)
}

// close fails what is open, and refuses what comes.
func (q *requests) close() {
	q.mu.Lock()
	open := q.open
	q.open, q.closed = nil, true
	q.mu.Unlock()
	for r := range open {
		r.Fail(ErrClosed)
	}
}
