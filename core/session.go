package peerlink

import (
	"crypto/rand"
	"errors"
	"math"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerlink/peerlink/core/internal/link"
	"github.com/peerlink/peerlink/core/internal/netio"
	"github.com/peerlink/peerlink/core/internal/seal"
	"github.com/peerlink/peerlink/core/internal/wire"
)

const (
	// maxCalls bounds the calls of one session that wait for their answers.
	maxCalls = 1 << 16
	// idleSession is how long a session is kept that nobody uses.
	idleSession = 5 * time.Minute
	// spareSession is for how long one beside the one in use must be silent: the peer
	// may prefer it.
	spareSession = 10 * time.Second
)

// session is an encrypted session with a peer: link.Session with a lock, a timer, a
// socket, and the calls that wait.
//
// Whoever changes the link sends what comes of it, except while somebody else is
// sending already: then that one takes it along, and what queued meanwhile shares
// datagrams.
type session struct {
	node      *Node
	number    uint32 // of our choice: packets to us bear it
	initiator bool
	about     wire.Hello // what the peer says of itself
	key       Fingerprint
	since     time.Time
	peer      atomic.Pointer[Peer] // nil until discovery or the application names one
	doubted   atomic.Int64         // when discovery said that it is gone, ns since epoch; 0: it has not
	unproved  atomic.Bool          // the peer has not shown that it has the keys: nothing of it has verified

	mu      sync.Mutex
	link    *link.Session
	ended   bool
	lastID  uint64
	calls   map[uint64]*outCall
	serving map[uint64]*Request
	sending bool // somebody sends, with mu released
	corked  int  // answers wait for each other
	soon    int  // so many callers were just answered, and may call again at once
	buf     []byte
	timer   *time.Timer
	armed   time.Time // when timer fires; zero: it does not
	expiry  time.Time // no call's deadline is before; zero: none has one
	swept   time.Time
	sendErr error // of the socket, the last
}

// newSession enters a session whose handshake is complete.
func (n *Node) newSession(cfg link.Config, number uint32, about wire.Hello, key Fingerprint, initiator bool) *session {
	now := time.Now()
	if about.MaxMessage == 0 { // it does not say
		about.MaxMessage = maxMessage
	}
	s := &session{
		node: n, number: number, initiator: initiator, about: about, key: key, since: now, swept: now,
		calls: make(map[uint64]*outCall), serving: make(map[uint64]*Request),
		buf: make([]byte, 0, wire.MaxDatagram),
	}
	cfg.MaxMessage, cfg.Budget, cfg.Random = n.limits.Message, n.limits.BytesPerPeer, rand.Reader
	cfg.Waiting = func(id uint64) bool { return s.calls[id] != nil }
	cfg.Free = freeMessage
	s.link = link.NewSession(cfg, now)
	s.timer = time.AfterFunc(math.MaxInt64, s.onTimer)
	return s
}

// outCall is a call that waits for its answer. Two hold it: whoever waits, and the
// link while it may still send it. The last to let go gives it back to the pool.
type outCall struct {
	msg     link.Message
	id      uint64
	wait    chan reply  // capacity 1
	done    func(reply) // instead of wait, if not nil
	working bool        // the peer has begun it
	name    []byte
	result  []byte // what the answer brought
	holders atomic.Int32
}

var outCalls = sync.Pool{New: func() any { return &outCall{wait: make(chan reply, 1)} }}

func newCall(done func(reply)) *outCall {
	c := outCalls.Get().(*outCall)
	c.msg.Reset()
	c.msg.Owner = c
	c.done, c.working = done, false
	c.holders.Store(2)
	return c
}

// discard gives back a call that was never sent.
func (c *outCall) discard() {
	c.holders.Store(1)
	c.release()
}

// release lets go of c.
func (c *outCall) release() {
	if c.holders.Add(-1) > 0 {
		return
	}
	c.done, c.msg.Data, c.msg.Name = nil, nil, nil
	if cap(c.result) > 64<<10 {
		c.result = nil
	}
	outCalls.Put(c)
}

func (c *outCall) deliver(r reply) {
	if c.done == nil {
		c.wait <- r
		return
	}
	c.done(r)
	c.release()
}

// outReply is a reply until the peer has acknowledged it.
type outReply struct {
	msg link.Message
	buf []byte
}

var outReplies = sync.Pool{New: func() any { return new(outReply) }}

func freeMessage(m *link.Message) {
	switch o := m.Owner.(type) {
	case *outCall:
		o.release()
	case *outReply:
		if cap(o.buf) > 64<<10 {
			o.buf = nil
		}
		outReplies.Put(o)
	}
}

var (
	errGone    = errors.New("the peer is gone")
	errTooMany = errors.New("too many calls are waiting for an answer")
)

// start sends a call and returns its number. Unless it fails, the call ends by deliver,
// after which c may be another call already.
func (s *session) start(c *outCall, fn string, req Payload, deadline time.Time) (id uint64, err error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return 0, errGone
	case len(s.calls) >= maxCalls:
		return 0, errTooMany
	}
	s.lastID++
	c.id = s.lastID
	m := &c.msg
	c.name = append(c.name[:0], fn...)
	m.ID, m.Name, m.Deadline = c.id, c.name, deadline
	if len(req.Bytes) > 0 {
		m.Codec, m.Data = uint8(req.Codec), req.Bytes
	}
	s.calls[c.id] = c
	s.node.waiting.Add(1)
	if !deadline.IsZero() && (s.expiry.IsZero() || deadline.Before(s.expiry)) {
		s.expiry = deadline
	}
	s.link.Send(m, now)
	s.soon = max(0, s.soon-1)
	id = c.id
	s.flush(now)
	return id, nil
}

// abandon ends a call that nobody waits for any more; false if it has just ended.
func (s *session) abandon(id uint64, c *outCall) bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[id] != c {
		return false
	}
	s.forget(c)
	s.link.SendCancel(id)
	s.flush(now)
	return true
}

// forget takes a call out.
func (s *session) forget(c *outCall) {
	delete(s.calls, c.id)
	s.node.waiting.Add(-1)
	s.link.Drop(&c.msg)
}

// flush sends what is due. mu is held, and released while the socket is busy.
func (s *session) flush(now time.Time) {
	if s.sending || (s.corked > 0 || s.soon > 0) && !s.ended {
		return
	}
	s.sending = true
	for {
		packet, to, ok := s.link.Next(now, s.buf)
		if !ok {
			break
		}
		if len(packet) == s.link.Datagram() {
			s.train(now, packet, to)
		} else {
			s.transmit(packet, len(packet), to)
		}
	}
	s.sending = false
	if s.ended {
		s.link.Zero()
		return
	}
	s.arm(now)
}

// transmit sends b, in datagrams of size bytes.
func (s *session) transmit(b []byte, size int, to netip.AddrPort) {
	s.mu.Unlock()
	err := netio.WriteSegments(s.node.conn, b, size, to)
	s.mu.Lock()
	s.sendErr = err
}

// train sends a full packet together with those of the same size that follow.
func (s *session) train(now time.Time, first []byte, to netip.AddrPort) {
	buf := trains.Get().(*[]byte)
	defer trains.Put(buf)
	size := len(first)
	b := append((*buf)[:0], first...)
	for len(b) < netio.MaxSegments*size {
		packet, also, ok := s.link.Next(now, s.buf)
		if !ok {
			break
		}
		if also != to || len(packet) > size {
			s.transmit(b, size, to)
			s.transmit(packet, len(packet), also)
			return
		}
		if b = append(b, packet...); len(packet) < size { // the last may be shorter
			break
		}
	}
	s.transmit(b, size, to)
}

// trains are buffers for several packets.
var trains = sync.Pool{New: func() any {
	b := make([]byte, 0, netio.MaxSegments*wire.MaxDatagram)
	return &b
}}

// arm sets the timer, if it would fire too late. One that fires too early costs
// less than setting it for each packet.
func (s *session) arm(now time.Time) {
	at, ok := s.link.Deadline(now)
	if !s.expiry.IsZero() && (!ok || s.expiry.Before(at)) {
		at, ok = s.expiry, true
	}
	if !ok || s.ended || !s.armed.IsZero() && !at.Before(s.armed) {
		return
	}
	s.armed = at
	s.timer.Reset(max(at.Sub(now), 0))
}

// onTimer does what is due.
func (s *session) onTimer() {
	n := s.node
	n.late.RLock()
	defer n.late.RUnlock()
	now := time.Now()
	s.mu.Lock()
	s.armed = time.Time{}
	if s.ended {
		s.mu.Unlock()
		return
	}
	suspicious := s.link.Tick(now)
	over := s.expire(now)
	s.flush(now)
	s.arm(now)
	s.mu.Unlock()
	for _, e := range over {
		e.call.deliver(e.reply)
	}
	if suspicious {
		n.sessionSilent(s, now)
	}
}

// endedCall is a call with its answer, to be delivered when no lock is held.
type endedCall struct {
	call  *outCall
	reply reply
}

// expire takes out the calls whose time is over.
func (s *session) expire(now time.Time) (over []endedCall) {
	if s.expiry.IsZero() || now.Before(s.expiry) {
		return nil
	}
	s.expiry = time.Time{}
	for _, c := range s.calls {
		at := c.msg.Deadline
		switch {
		case at.IsZero():
		case !at.After(now):
			over = append(over, endedCall{c, reply{code: CodeTimeout, cause: s.whyLate(c, now)}})
		case s.expiry.IsZero() || at.Before(s.expiry):
			s.expiry = at
		}
	}
	for _, e := range over {
		s.forget(e.call)
	}
	return over
}

// whyLate tells slow from lost.
func (s *session) whyLate(c *outCall, now time.Time) error {
	switch {
	case now.Sub(s.link.Heard()) > silentTime:
		return errSilent
	case c.working:
		return errStillRunning
	case s.sendErr != nil:
		return timeoutError{"timed out: " + s.sendErr.Error()}
	default:
		return nil
	}
}

// silentTime is how long a peer that is pinged says nothing before it counts as silent.
const silentTime = 3 * time.Second

var errSilent = timeoutError{"timed out: the peer has stopped answering"}

// failEndless ends the calls that would wait for ever for a peer that is gone.
func (s *session) failEndless() {
	s.mu.Lock()
	var over []*outCall
	for _, c := range s.calls {
		if c.msg.Deadline.IsZero() {
			over = append(over, c)
		}
	}
	for _, c := range over {
		s.forget(c)
	}
	s.mu.Unlock()
	for _, c := range over {
		c.deliver(reply{code: CodeGone, cause: errSilent})
	}
}

var errStillRunning = timeoutError{"timed out: the handler was still running there"}

// receive takes a DATA packet. What the peer calls is run when the lock is free.
func (s *session) receive(r *reader, now time.Time, b []byte, h wire.Header, from netip.AddrPort) error {
	s.mu.Lock()
	in, err := s.link.Receive(now, b, h, from, r.in[:0])
	r.in = in
	if errors.Is(err, link.ErrDropped) {
		s.mu.Unlock()
		return err
	}
	if s.unproved.Load() && s.unproved.Swap(false) {
		s.mu.Unlock()
		s.node.assign(s)
		s.node.settle(s)
		s.mu.Lock()
	}
	reached := s.reached(now)
	r.over = r.over[:0]
	calls, moved, gone, why := false, false, err != nil, Code(0)
	for i := range in {
		switch in[i].Kind {
		case link.Reply, link.LostCall, link.Working:
			s.answered(r, now, &in[i])
		case link.Cancel:
			if req := s.serving[in[i].ID]; req != nil {
				req.ctx.cancel()
			}
		case link.Moved:
			moved = true
		case link.Closed:
			gone, why = true, Code(min(in[i].Status, math.MaxUint16))
		default:
			calls = true
		}
	}
	if gone && err != nil {
		s.link.Close(uint64(CodeInvalid), "protocol violation")
		s.flush(now)
	}
	var before *session
	if calls {
		before = r.hold(s, now) // the answers, and the acknowledgement with them
	} else if s.soon = len(r.over); s.soon < manyAnswers {
		s.soon = 0
		s.flush(now)
	}
	crowd := s.soon > 0
	s.mu.Unlock()
	before.uncork()
	if (reached || moved) && !gone {
		s.heard(now, moved)
	}
	for _, e := range r.over {
		e.call.deliver(e.reply)
	}
	if crowd {
		runtime.Gosched() // lets them call again, all in one packet
		s.disperse()
	}
	if calls {
		r.serve(s, now, from)
	}
	if gone {
		s.node.sessionClosed(s, why)
	}
	return err
}

// proofLife is for how long an acknowledgement proves that we reach the peer: less
// than the silence after which we ask.
const proofLife = link.IdleNative * 3 / 4

// reached reports whether the peer hears us as well, and asks if that has not shown of
// late. mu is held.
func (s *session) reached(now time.Time) bool {
	if now.Sub(s.link.Reached()) < proofLife {
		return true
	}
	if s.link.Idle() {
		s.link.SendPing()
	}
	return false
}

// heard tells the peer's entry that it is there.
func (s *session) heard(now time.Time, moved bool) {
	p := s.peer.Load()
	if p == nil {
		return
	}
	if moved || p.proven.Load() != s {
		s.node.sessionProved(s, p)
	}
	p.noteHeard(now, s.address())
}

func (s *session) address() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link.Addr()
}

// answered ends a call of ours, or notes that it has begun. mu is held.
func (s *session) answered(r *reader, now time.Time, in *link.Incoming) {
	c := s.calls[in.ID]
	if c == nil {
		return // it is answered already
	}
	if in.Kind == link.Working {
		c.working = true
		return
	}
	s.forget(c)
	a := reply{at: now}
	switch {
	case in.Kind == link.LostCall:
		a.code, a.cause = CodeTooLarge, tooLarge("result", in.Total, s.node.limits.Message)
	case in.Status != 0:
		a.code, a.remote = failureOf(in)
	case in.Owned:
		a.result = Payload{Codec: Codec(in.Codec), Bytes: in.Data}
	default:
		c.result = append(c.result[:0], in.Data...)
		a.result, a.borrowed = Payload{Codec: Codec(in.Codec), Bytes: c.result}, true
	}
	r.over = append(r.over, endedCall{c, a})
}

func failureOf(in *link.Incoming) (Code, *RemoteError) {
	f, _ := wire.ParseFailure(in.Data) // one that is broken is all text
	code := Code(min(in.Status, math.MaxUint16))
	if code > lastCode {
		code = CodeRemote // of a later version
	}
	return code, &RemoteError{Type: f.Type, Message: f.Message}
}

// manyAnswers in one packet are a sign of many callers.
const manyAnswers = 3

// disperse waits for callers no longer.
func (s *session) disperse() {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.soon = 0
	s.flush(now)
}

// uncork lets the answers go. s may be nil.
func (s *session) uncork() {
	if s == nil {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked--
	s.flush(now)
}

// begin notes a request that is being served, so that it can be canceled.
func (s *session) begin(req *Request, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving[req.call] = req
	if s.ended {
		req.ctx.cancel()
	}
	s.link.Begin(now, req.call)
}

// isServing reports whether a call is being served.
func (s *session) isServing(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serving[id] != nil
}

// reply sends the answer to a call of the peer. The bytes are copied.
func (s *session) reply(id uint64, status Code, codec Codec, data []byte) {
	o := outReplies.Get().(*outReply)
	o.buf = append(o.buf[:0], data...)
	o.msg.Reset()
	m := &o.msg
	m.Owner, m.Reply, m.ID, m.Status, m.Data = o, true, id, uint64(status), o.buf
	if len(data) > 0 && status == 0 {
		m.Codec = uint8(codec)
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.serving[id]; ok {
		delete(s.serving, id)
		s.link.End(id)
	}
	if s.ended {
		outReplies.Put(o)
		return
	}
	s.link.Send(m, now)
	s.flush(now)
}

// fail answers a call with an error.
func (s *session) fail(id uint64, code Code, e *RemoteError) {
	f := wire.Failure{Type: e.Type, Message: e.Message}
	s.reply(id, code, 0, f.Append(nil))
}

// end gives up what waits, with code. With tell the peer is told.
func (s *session) end(code Code, tell bool) {
	now := time.Now()
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	s.timer.Stop()
	calls := s.calls
	s.calls = make(map[uint64]*outCall)
	s.node.waiting.Add(-int64(len(calls)))
	for _, c := range calls {
		s.link.Drop(&c.msg)
	}
	s.link.Close(uint64(code), "")
	if tell {
		s.flush(now)
	} else if !s.sending {
		s.link.Zero()
	}
	for _, req := range s.serving {
		req.ctx.cancel()
	}
	s.mu.Unlock()
	for _, c := range calls {
		c.deliver(reply{code: code})
	}
}

// ping asks the peer for a sign of life, at all of addrs if there are any.
func (s *session) ping(now time.Time, addrs []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link.SendPing()
	s.link.Probe(now, addrs)
	s.flush(now)
}

// sweep drops what waits for too long, and reports whether the session is of no
// more use.
func (s *session) sweep(now time.Time) (useless bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle := now.Sub(s.link.Heard())
	p := s.peer.Load()
	spare := p != nil && p.session.Load() != s && len(s.calls) == 0 && len(s.serving) == 0
	if s.ended || idle > idleSession || s.unproved.Load() && idle > halfOpenLife ||
		spare && idle > spareSession && s.link.Stats().Unacknowledged == 0 {
		return true
	}
	if at := s.doubted.Load(); at != 0 {
		switch since := epoch.Add(time.Duration(at)); {
		case s.link.Heard().After(since):
			s.doubted.Store(0)
		case now.Sub(since) > doubtTime:
			return true
		}
	}
	if now.Sub(s.swept) < time.Second {
		return false
	}
	s.swept = now
	for _, in := range s.link.Expire(now, nil) {
		if c := s.calls[in.ID]; in.Kind == link.LostCall && c != nil { // its answer stopped half-way
			c.msg.Deadline, s.expiry = now, now
			s.arm(now)
		}
	}
	return false
}

// stats returns the counters.
func (s *session) stats() link.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link.Stats()
}

// resumption is what another session with the same peer can begin with.
type resumption struct {
	secret *seal.Resumption
	until  time.Time
}

// answers reports whether the peer seems to be there: it does not miss probes.
func (s *session) answers(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link.Stats().ProbesUnanswered < 2 || s.link.Silent(now) < reshakeAfter
}

// proved reports whether the peer has shown that it has the keys.
func (s *session) proved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link.Confirmed()
}

// kick sends what the link has to send of itself.
func (s *session) kick() {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush(now)
}
