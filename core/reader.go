package peerlink

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerlink/peerlink/core/internal/link"
	"github.com/peerlink/peerlink/core/internal/netio"
	"github.com/peerlink/peerlink/core/internal/wire"
)

const (
	// watchEvery is how soon it shows that a handler blocks the reader: rarely, since
	// one that did so once is never run there again, and to look costs as much as a call.
	watchEvery = 5 * time.Millisecond
	// watchIdle is for how many turns without such handlers the watch goes on.
	watchIdle = 20
	// quickRuns is how often in a row a handler must have been quick before it is run
	// by the reader itself.
	quickRuns = 8
	// quickTime is what quick means, and slowTime what slow does. What lies between may
	// be a busy machine.
	quickTime = 100 * time.Microsecond
	slowTime  = time.Millisecond
)

// reader takes datagrams off the socket and runs quick handlers itself: to hand a
// request to another goroutine takes longer than all the rest of a call. When a
// handler turns out not to be quick, watch makes a new reader, and the old one ends
// with its handler.
type reader struct {
	node  *Node
	in    []link.Incoming
	over  []endedCall
	leads bool // for a thread that waits for something: handlers are left to others

	inside atomic.Int64 // since when it is in a handler, ns since epoch; 0: it is not

	mu        sync.Mutex
	batch     *netio.Batch // what was read and not looked at
	inherited *netio.Batch // what the reader before left of its own, to be taken first
	jobs      []job        // of the present datagram, to be run by the reader
	running   *handler
	corked    *session  // whose answers wait for those to what else was read with it
	since     time.Time // when the first was corked
	ousted    bool      // another reads now, and has batch
}

// read takes datagrams off the socket until it is closed, or another reader has
// taken over.
func (r *reader) read() {
	n := r.node
	for r.work() {
		err := netio.ReadBatch(n.conn, r.batch)
		switch {
		case err == nil:
		case errors.Is(err, net.ErrClosed):
			return
		default: // an ICMP error of an earlier send, on systems that report it here
			n.complain("socket", netip.AddrPort{}, err)
			if !n.pause(time.Millisecond) {
				return
			}
		}
	}
}

// work takes the datagrams of the batch; false if the reader was ousted meanwhile.
func (r *reader) work() bool {
	for {
		now := time.Now()
		r.mu.Lock()
		if r.ousted {
			r.mu.Unlock()
			return false
		}
		b, src, ok := r.next()
		long := r.corked != nil && now.Sub(r.since) > longCork
		r.mu.Unlock()
		if !ok || long {
			r.drop()
		}
		if !ok {
			return true
		}
		r.node.receive(r, now, b, src)
	}
}

// next returns the next datagram. mu is held.
func (r *reader) next() ([]byte, netip.AddrPort, bool) {
	if r.inherited != nil {
		if b, src, ok := r.inherited.Next(); ok {
			return b, src, true
		}
		r.inherited = nil
	}
	return r.batch.Next()
}

func (n *Node) newReader() *reader { return &reader{node: n, batch: new(netio.Batch)} }

// watch replaces the reader when a handler blocks it.
func (n *Node) watch(r *reader) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	<-tick.C
	for {
		select {
		case <-n.done:
			return
		case <-n.wakeWatch:
		}
		last, idle := int64(0), 0
		for idle < watchIdle {
			tick.Reset(watchEvery)
			select {
			case <-n.done:
				return
			case <-tick.C:
			}
			since := r.inside.Load()
			switch {
			case since == 0:
				idle++
			case since != last:
				idle = 0
			default: // the same handler for a whole turn
				if next := r.oust(since); next != nil {
					r, since = next, 0
					n.spawn(r.read)
				}
			}
			last = since
		}
		n.watching.Store(false)
		if r.inside.Load() != 0 { // just missed
			n.wake()
		}
	}
}

// wake has watch look after the reader.
func (n *Node) wake() {
	if n.watching.Load() || n.watching.Swap(true) {
		return
	}
	select {
	case n.wakeWatch <- struct{}{}:
	default:
	}
}

// oust takes from a reader what it has not begun yet, and returns the next one; nil if
// it has come out of the handler that it was in since then.
func (r *reader) oust(since int64) *reader {
	next := r.node.newReader()
	r.mu.Lock()
	if r.inside.Load() != since {
		r.mu.Unlock()
		return nil
	}
	r.ousted = true
	r.running.quick.blocked()
	next.inherited = r.batch
	jobs, corked := r.jobs, r.corked
	r.jobs, r.corked = nil, nil
	r.mu.Unlock()
	for _, j := range jobs {
		r.node.giveJob(j) // their payloads are in a batch that nobody reads into any more
	}
	corked.uncork()
	return next
}

// serve runs what the peer calls in the present datagram, or hands it on.
func (r *reader) serve(s *session, now time.Time, from netip.AddrPort) {
	for i := range r.in {
		switch in := &r.in[i]; in.Kind {
		case link.Call:
			r.request(s, now, in, from)
		case link.Stale:
			if !s.isServing(in.ID) {
				s.fail(in.ID, CodeTimeout, &RemoteError{Type: "PeerLinkError", Message: "the call came too late"})
			}
		case link.TooLarge:
			s.fail(in.ID, CodeTooLarge, &RemoteError{Type: "PeerLinkError",
				Message: tooLarge("arguments", in.Total, r.node.limits.Message).Error()})
		case link.Busy:
			s.fail(in.ID, CodeOverloaded, &RemoteError{Type: overloaded, Message: r.node.name + " has no room for the arguments"})
		}
	}
	r.runJobs(now)
}

// longCork is how long an answer waits for others, which were read with it.
const longCork = 50 * time.Microsecond

// hold makes the answers of s wait for each other, and returns whose do so no more. The
// lock of s is held.
func (r *reader) hold(s *session, now time.Time) (before *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.corked == s {
		return nil
	}
	before, r.corked, r.since = r.corked, s, now
	s.corked++
	return before
}

// drop lets the answers go that were held.
func (r *reader) drop() {
	r.mu.Lock()
	s := r.corked
	r.corked = nil
	r.mu.Unlock()
	s.uncork()
}

// request finds the handler of a call.
func (r *reader) request(s *session, now time.Time, in *link.Incoming, from netip.AddrPort) {
	n := r.node
	h, ok := n.handlers.get(in.Name)
	switch {
	case in.Codec > uint8(CBOR) || in.Codec == 0 && len(in.Data) > 0:
		s.fail(in.ID, CodeInvalid, &RemoteError{Type: "PeerLinkError", Message: fmt.Sprintf("no codec %d", in.Codec)})
		return
	case !ok && string(in.Name) == pingFunc:
		s.reply(in.ID, 0, JSON, pong(now))
		return
	case !ok:
		s.fail(in.ID, CodeNoHandler, noFunction(string(in.Name)))
		return
	case !n.gate.Enter(s.gateKey()):
		s.fail(in.ID, CodeOverloaded, &RemoteError{Type: overloaded, Message: n.name + " is busy with other calls, or closing"})
		return
	}
	req := n.nativeRequest(s, h, now, in, from)
	here := h.async == nil && h.quick.isQuick() && !in.Owned && !r.leads
	if !in.Owned && !(here && h.copies) {
		req.own()
	}
	s.begin(req, now)
	switch {
	case h.async != nil:
		n.callAsync(h, req)
	case here:
		r.mu.Lock()
		r.jobs = append(r.jobs, job{h, req})
		r.mu.Unlock()
	default:
		n.giveJob(job{h, req})
	}
}

// runJobs runs the calls of a datagram one after the other, unless ousted.
func (r *reader) runJobs(now time.Time) {
	n := r.node
	for {
		r.mu.Lock()
		if len(r.jobs) == 0 {
			r.mu.Unlock()
			return
		}
		j := r.jobs[0]
		r.jobs = append(r.jobs[:0], r.jobs[1:]...)
		r.running = j.h
		r.inside.Store(int64(now.Sub(epoch)) | 1)
		r.mu.Unlock()
		n.wake()
		n.run(j)
		r.mu.Lock()
		r.running = nil
		r.inside.Store(0)
		r.mu.Unlock()
		end := time.Now()
		j.h.quick.ran(end.Sub(now))
		now = end
	}
}

// pace is how quick a handler has been: so many runs in a row.
type pace struct{ runs atomic.Int32 }

// blocked says that the handler has blocked a reader.
func (p *pace) blocked() { p.runs.Store(math.MinInt32) }

func (p *pace) isQuick() bool { return p.runs.Load() >= quickRuns }

// ran notes a run. One that was slow counts against many that were not.
func (p *pace) ran(took time.Duration) {
	switch runs := p.runs.Load(); {
	case runs == math.MinInt32:
	case took >= slowTime:
		p.runs.Store(-4 * quickRuns)
	case took >= quickTime:
		p.runs.Store(runs - 2)
	case runs < 2*quickRuns:
		p.runs.Store(runs + 1)
	}
}

// receive takes one datagram; b is only valid during the call.
func (n *Node) receive(r *reader, now time.Time, b []byte, src netip.AddrPort) {
	if !wire.IsNative(b) {
		n.receiveJSON(now, b, src)
		return
	}
	if err := n.receiveNative(r, now, b, src); err != nil && err != errNotAwaited { // that is life
		n.complain("bad datagram", src, err)
	}
}

var errNoSession = errors.New("packet of no session")

func (n *Node) receiveNative(r *reader, now time.Time, b []byte, src netip.AddrPort) error {
	if wire.PacketType(b[0]) != wire.PacketData {
		return n.shakes.receive(now, b, src)
	}
	h, err := wire.ParseHeader(b)
	if err != nil {
		return err
	}
	s := n.sessions.get(h.Session)
	if s == nil {
		return errNoSession
	}
	return s.receive(r, now, b, h, src)
}

// leadTime is how long a call that is alone reads the socket itself.
const leadTime = 20 * time.Millisecond

// crowdTime is how long after several calls were under way at once none reads for itself.
const crowdTime = 2 * time.Millisecond

// lead does what Lead does for a call of this program.
func (n *Node) lead(ctx context.Context, c *outCall) {
	n.Lead(time.Now().Add(leadTime), func() bool { return len(c.wait) > 0 || ctx.Err() != nil })
}

// crowd reports whether several calls are under way, or were just now: one reader
// serves many better.
func (n *Node) crowd() bool {
	now := time.Since(epoch)
	if n.waiting.Load() > 1 {
		n.crowded.Store(int64(now))
		return true
	}
	return now-time.Duration(n.crowded.Load()) <= crowdTime
}

// Lead lets the calling thread read the node's socket itself until done reports true,
// or until has come. That is of use if nothing else is waited for: to wake a thread for
// what another one has read takes longer than the rest of a call. It returns at once
// where sockets cannot be shared so (but on Linux), or if another thread leads already;
// so look at done afterwards. The bindings use it, with StartCall, whose end comes on
// this thread then. Call and CallRaw do it themselves.
func (n *Node) Lead(until time.Time, done func() bool) {
	conn, ok := n.conn.(netio.LeadConn)
	if !ok || done() || n.crowd() || !conn.Lead() {
		return
	}
	defer func() { conn.Unlead(n.waiting.Load() > 0) }()
	n.leads.Lock() // Close waits for who leads
	defer n.leads.Unlock()
	r := n.leader
	for !done() && time.Now().Before(until) {
		switch err := conn.LeadRead(r.batch); {
		case err == nil:
			r.work()
		case errors.Is(err, os.ErrDeadlineExceeded):
		default:
			return
		}
	}
}
