package peerlink

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/legacy"
	"github.com/peerlink/peerlink/core/internal/limit"
	"github.com/peerlink/peerlink/core/internal/link"
	"github.com/peerlink/peerlink/core/internal/rpc"
	"github.com/peerlink/peerlink/core/internal/seal"
	"github.com/peerlink/peerlink/core/internal/wire"
)

const (
	firstRepeat  = 25 * time.Millisecond
	lastRepeat   = 500 * time.Millisecond
	resumeTime   = 100 * time.Millisecond // after which a RESUME is given up
	dialPatience = 3 * time.Second        // of a dial that nobody waits for
	maxWaiters   = 4096                   // calls that wait for one handshake
	maxDone      = 1024

	maxCookies = 8 // taken in one dial: some may be forged

	maxHalfOpen  = 256
	halfOpenLife = 5 * time.Second
	// Beyond these an INIT needs a cookie.
	easyHalfOpen = 64
	easyRate     = 50 // a second
	// What one source address gets even with cookies, a second, and all together.
	sourceRate  = 20
	cookieRate  = 1000
	resumeLife  = 24 * time.Hour
	maxResume   = 1024
	pinPatience = 6 * time.Second
)

// versions are what this package speaks.
var versions = []uint8{wire.Version}

// handshakes are those under way, in both directions. It is safe for concurrent use.
type handshakes struct {
	node *Node
	jar  *seal.Jar

	mu      sync.Mutex
	closed  bool
	dials   map[uint32]*dial     // by the session number we chose
	done    map[uint32]struct{}  // those that are over, of late
	half    map[uint32]*halfOpen // so as well
	inits   map[initKey]*halfOpen
	tickets map[[16]byte]resumption
	pins    map[string]pin // by name
	rate    limit.Bucket
	cookies limit.Bucket
	sources limit.Buckets[netip.Addr]
}

// A dial is our handshake with one peer.
type dial struct {
	peer    *Peer
	number  uint32
	hs      *seal.Handshake
	packet  []byte // INIT or RESUME
	resumed bool
	cookies int   // that were set
	why     error // why the last answer was refused
	begun   time.Time
	next    time.Time
	wait    time.Duration
	sent    time.Time // when the packet went out last
	ended   bool
	timer   *time.Timer
	waiters []*waiter

	// A peer of which only the address is known is asked first, in JSON that any
	// version answers, whether it speaks the native protocol.
	unsure bool
	probe  *rpc.Call[reply]
}

// A waiter is a call that waits for the handshake.
type waiter struct {
	deadline time.Time // zero: none
	done     func(*session, error)
}

// halfOpen is a handshake that a peer began.
type halfOpen struct {
	key    initKey
	noise  []byte // its first message
	number uint32
	hs     *seal.Handshake
	answer []byte
	suite  seal.Suite
	begun  time.Time
}

type initKey struct {
	from   netip.AddrPort
	number uint32
}

// A pin binds a name to a key while its owner is there.
type pin struct {
	key  Fingerprint
	peer *Peer // may be nil
}

func newHandshakes(n *Node) (*handshakes, error) {
	jar, err := seal.NewJar(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &handshakes{
		node: n, jar: jar,
		dials:   make(map[uint32]*dial),
		done:    make(map[uint32]struct{}),
		half:    make(map[uint32]*halfOpen),
		inits:   make(map[initKey]*halfOpen),
		tickets: make(map[[16]byte]resumption),
		pins:    make(map[string]pin),
		rate:    limit.Bucket{Rate: easyRate, Burst: easyRate},
		cookies: limit.Bucket{Rate: cookieRate, Burst: cookieRate},
		sources: limit.Buckets[netip.Addr]{Rate: sourceRate, Burst: 2 * sourceRate, Max: 4096},
	}, nil
}

// newNumber chooses a session number. mu is held.
func (h *handshakes) newNumber() uint32 {
	for {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		n := binary.BigEndian.Uint32(b[:])
		if n != 0 && h.dials[n] == nil && h.half[n] == nil && h.node.sessions.get(n) == nil {
			return n
		}
	}
}

// hello is what we say of ourselves.
func (n *Node) hello(number uint32, suites uint8) []byte {
	h := wire.Hello{
		Session: number, Suites: suites, ID: n.id, Name: n.AnnouncedName(), Software: Version, TCPPort: n.TCPPort(),
		MaxMessage: uint64(n.limits.Message), MaxDatagram: wire.MaxDatagram, Versions: versions,
	}
	return h.Append(nil)
}

// --- initiator ---

// join waits for a session with p: done gets it, or nil without an error if p speaks
// the dialect of 1.x only. It returns a function that stops waiting, and reports
// whether done will not be called.
func (h *handshakes) join(p *Peer, deadline time.Time, done func(*session, error)) (stop func() bool) {
	w := &waiter{deadline, done}
	h.mu.Lock()
	d, err := h.dialing(p, time.Now())
	if err == nil && len(d.waiters) >= maxWaiters {
		err = errTooMany
	}
	if err != nil {
		h.mu.Unlock()
		done(nil, err)
		return func() bool { return false }
	}
	d.waiters = append(d.waiters, w)
	if !deadline.IsZero() && deadline.Before(d.next) {
		d.next = deadline
		d.timer.Reset(time.Until(deadline))
	}
	h.mu.Unlock()
	return func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		i := slices.Index(d.waiters, w)
		if i >= 0 {
			d.waiters = slices.Delete(d.waiters, i, i+1)
		}
		return i >= 0
	}
}

// again begins a handshake beside a session that seems dead.
func (h *handshakes) again(p *Peer, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _ = h.dialing(p, now)
}

// dialing returns the dial of p, begun if there is none. mu is held.
func (h *handshakes) dialing(p *Peer, now time.Time) (*dial, error) {
	if p.dial != nil {
		return p.dial, nil
	}
	if h.closed { // the keys are about to be overwritten
		return nil, ErrClosed.Err
	}
	state := p.state.Load()
	d := &dial{peer: p, begun: now, wait: firstRepeat, unsure: state.Native == 0 && p.speaks() == dialectUnknown}
	d.timer = time.AfterFunc(math.MaxInt64, func() { h.onTimer(d) })
	if err := h.prepare(d, p.resume.Load()); err != nil {
		d.timer.Stop()
		return nil, err
	}
	p.dial = d
	if d.unsure {
		h.ask(d)
	}
	h.repeat(d, now)
	return d, nil
}

// prepare makes the first packet of a handshake. mu is held.
func (h *handshakes) prepare(d *dial, res *resumption) (err error) {
	n := h.node
	delete(h.dials, d.number)
	d.number = h.newNumber()
	d.cookies = 0
	h.dials[d.number] = d
	suites := uint8(seal.Offered())
	if d.resumed = res != nil && time.Now().Before(res.until); d.resumed {
		p := wire.Resume{Version: wire.Version, Suites: suites, Session: d.number, Tag: n.realm.Tag(), Ticket: res.secret.Ticket}
		prologue := wire.Prologue(p.Append(nil))
		d.hs, p.Noise, err = seal.InitiateResume(n.identity, n.realm, res.secret, prologue, n.hello(d.number, suites), rand.Reader)
		if err == nil {
			d.packet = p.Append(nil)
			return nil
		}
		d.resumed = false // the secret has been forgotten
		d.peer.resume.Store(nil)
	}
	p := wire.Init{Version: wire.Version, Suites: suites, Session: d.number, Tag: n.realm.Tag()}
	p.Noise = make([]byte, 48)
	prologue := wire.Prologue(p.Append(nil))
	d.hs, p.Noise, err = seal.Initiate(n.identity, n.realm, prologue, rand.Reader)
	d.packet = p.Append(nil)
	return err
}

// repeat sends the packet to all addresses of the peer, and sets the timer. mu is held.
func (h *handshakes) repeat(d *dial, now time.Time) {
	if !d.unsure || now.Sub(d.begun) > 4*firstRepeat { // a 1.x node has answered by then
		for _, a := range d.addrs() {
			_ = h.node.send(d.packet, a)
		}
		d.sent = now
	}
	d.next = now.Add(d.wait)
	d.wait = min(2*d.wait, lastRepeat)
	for _, w := range d.waiters {
		if !w.deadline.IsZero() && w.deadline.Before(d.next) {
			d.next = w.deadline
		}
	}
	d.timer.Reset(max(d.next.Sub(now), 0))
}

func (d *dial) addrs() []netip.AddrPort {
	state := d.peer.state.Load()
	if len(state.Addrs) == 0 {
		return []netip.AddrPort{state.Addr}
	}
	return state.Addrs
}

// onTimer repeats the packet, and ends what has waited for too long.
func (h *handshakes) onTimer(d *dial) {
	h.node.late.RLock()
	defer h.node.late.RUnlock()
	now := time.Now()
	h.mu.Lock()
	if d.ended {
		h.mu.Unlock()
		return
	}
	var late []*waiter
	why := error(errNoHandshake)
	if d.why != nil {
		why = refusedError{d.why}
	}
	d.waiters = slices.DeleteFunc(d.waiters, func(w *waiter) bool {
		over := !w.deadline.IsZero() && !w.deadline.After(now)
		if over {
			late = append(late, w)
		}
		return over
	})
	switch {
	case len(d.waiters) == 0 && now.Sub(d.begun) > dialPatience:
		h.finish(d)
	case d.resumed && now.Sub(d.begun) >= resumeTime:
		d.peer.resume.Store(nil)
		if h.prepare(d, nil) != nil {
			h.finish(d)
			break
		}
		d.wait = firstRepeat
		h.repeat(d, now)
	default:
		if d.unsure {
			h.ask(d)
		}
		h.repeat(d, now)
	}
	h.mu.Unlock()
	for _, w := range late {
		w.done(nil, why)
	}
}

var errNoHandshake = timeoutError{"timed out: it does not answer"}

// ask puts the question in JSON. mu is held.
func (h *handshakes) ask(d *dial) {
	n := h.node
	if d.probe != nil {
		n.pending.Remove(d.probe)
	}
	probe := new(rpc.Call[reply])
	d.probe = probe
	if n.pending.Add(probe, func(r reply) { h.asked(d, r) }) != nil {
		return
	}
	b, err := legacy.AppendRequest(nil, legacy.Call{
		ID: string(probe.ID[:]), Src: n.AnnouncedName(), Dst: d.peer.Name(), Func: legacy.PingFunc,
	})
	if err != nil {
		return // names are too short for that
	}
	for _, a := range d.addrs() {
		_ = n.send(legacy.MarkNative(b), a)
	}
}

// asked takes the answer.
func (h *handshakes) asked(d *dial, r reply) {
	h.mu.Lock()
	if d.ended || r.code == CodeClosed {
		h.mu.Unlock()
		return
	}
	if r.native {
		d.unsure, d.wait = false, firstRepeat
		h.repeat(d, time.Now())
		h.mu.Unlock()
		return
	}
	waiters := h.finish(d)
	h.mu.Unlock()
	d.peer.dialect.Store(dialectJSON)
	d.peer.noteHeard(r.at, r.from)
	for _, w := range waiters {
		w.done(nil, nil)
	}
}

// finish ends a dial and returns who still waits. mu is held.
func (h *handshakes) finish(d *dial) []*waiter {
	waiters := d.waiters
	d.waiters, d.ended = nil, true
	d.timer.Stop()
	delete(h.dials, d.number)
	if len(h.done) >= maxDone {
		clear(h.done)
	}
	h.done[d.number] = struct{}{}
	if d.peer.dial == d {
		d.peer.dial = nil
	}
	if d.probe != nil {
		h.node.pending.Remove(d.probe)
	}
	return waiters
}

// forget ends the dial of a peer that is not listed any more.
func (h *handshakes) forget(p *Peer, err error) {
	h.mu.Lock()
	var waiters []*waiter
	if p.dial != nil {
		waiters = h.finish(p.dial)
	}
	h.mu.Unlock()
	for _, w := range waiters {
		w.done(nil, err)
	}
}

// close ends all.
func (h *handshakes) close() {
	h.mu.Lock()
	h.closed = true
	var waiters []*waiter
	for _, d := range h.dials {
		waiters = append(waiters, h.finish(d)...)
	}
	clear(h.half)
	clear(h.inits)
	for _, t := range h.tickets {
		t.secret.Zero()
	}
	clear(h.tickets)
	h.mu.Unlock()
	for _, w := range waiters {
		w.done(nil, ErrClosed.Err)
	}
}

// --- packets ---

var errNotAwaited = errors.New("handshake packet that nobody awaits")

func (h *handshakes) receive(now time.Time, b []byte, src netip.AddrPort) error {
	switch wire.PacketType(b[0]) {
	case wire.PacketInit:
		return h.receiveInit(now, b, src)
	case wire.PacketResume:
		return h.receiveResume(now, b, src)
	case wire.PacketFin:
		return h.receiveFin(now, b, src)
	case wire.PacketResp:
		p, err := wire.ParseResp(b)
		if err != nil {
			return err
		}
		return h.receiveAnswer(now, false, p.Initiator, p.Responder, p.Noise, src)
	case wire.PacketResumed:
		p, err := wire.ParseResumed(b)
		if err != nil {
			return err
		}
		return h.receiveAnswer(now, true, p.Initiator, p.Responder, p.Noise, src)
	case wire.PacketCookie:
		return h.receiveCookie(b, src)
	case wire.PacketVersions:
		_, err := wire.ParseVersions(b)
		return err // there is but one version, so nothing to fall back to
	default:
		return fmt.Errorf("packet of type %#x", b[0])
	}
}

// receiveCookie repeats the packet with the cookie, for the first few cookies.
func (h *handshakes) receiveCookie(b []byte, src netip.AddrPort) error {
	p, err := wire.ParseCookie(b)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.dials[p.Initiator]
	if d == nil || d.cookies >= maxCookies || !slices.Contains(d.addrs(), src) {
		return errNotAwaited
	}
	d.cookies++
	const at = wire.PrologueSize
	copy(d.packet[at:at+len(p.Cookie)], p.Cookie[:])
	_ = h.node.send(d.packet, src)
	return nil
}

// receiveAnswer takes a RESP or RESUMED: the session is there.
func (h *handshakes) receiveAnswer(now time.Time, resumed bool, ours, theirs uint32, noise []byte, src netip.AddrPort) error {
	h.mu.Lock()
	d := h.dials[ours]
	if d == nil || d.ended || d.resumed != resumed {
		_, late := h.done[ours]
		h.mu.Unlock()
		if late {
			return nil // the answer from another address of the peer
		}
		return errNotAwaited
	}
	s, err := h.conclude(now, d, theirs, noise, src)
	if err != nil {
		if !errors.Is(err, seal.ErrHandshake) { // it was read, so another answer needs another question
			d.why = err
			_ = h.prepare(d, nil)
		}
		h.mu.Unlock()
		return err
	}
	waiters := h.finish(d)
	h.mu.Unlock()
	s.peer.Store(d.peer)
	s.unproved.Store(true)
	err = h.node.enterSession(s)
	if err == nil {
		d.peer.dialect.Store(dialectNative)
		s.kick()
	}
	for _, w := range waiters {
		if err != nil {
			w.done(nil, err)
		} else {
			w.done(s, nil)
		}
	}
	return err
}

// conclude makes the session of a dial. mu is held.
func (h *handshakes) conclude(now time.Time, d *dial, theirs uint32, noise []byte, src netip.AddrPort) (*session, error) {
	n := h.node
	var raw, fin []byte
	var keys *seal.Keys
	var err error
	if d.resumed {
		raw, keys, err = d.hs.ReadResumed(noise)
	} else {
		raw, err = d.hs.ReadResponse(noise)
	}
	if err != nil {
		return nil, err
	}
	about, err := wire.ParseHello(raw)
	if err != nil {
		return nil, err
	}
	key := Fingerprint(d.hs.Peer())
	if err := h.acceptable(&about, theirs, key, d.peer); err != nil {
		return nil, err
	}
	suite := seal.Suite(about.Suites)
	if suite&seal.Offered() != suite || suite != seal.AESGCM && suite != seal.ChaCha {
		return nil, fmt.Errorf("suite %#x was not offered", about.Suites)
	}
	if !d.resumed {
		msg, k, err := d.hs.Finish(n.hello(d.number, uint8(seal.Offered())))
		if err != nil {
			return nil, err
		}
		keys = k
		f := wire.Fin{Responder: theirs, Noise: msg}
		fin = f.Append(nil)
	}
	res := resumption{keys.Resumption(), now.Add(resumeLife)}
	d.peer.resume.Store(&res)
	h.keepTicket(now, res)
	cfg := link.Config{Remote: theirs, Addr: src, Finish: fin, Took: now.Sub(d.begun)}
	if d.wait <= 2*firstRepeat { // else nobody knows which copy was answered
		cfg.RTT = now.Sub(d.sent)
	}
	return n.sealedSession(keys, suite, cfg, d.number, about, key, true)
}

func (n *Node) sealedSession(keys *seal.Keys, suite seal.Suite, cfg link.Config, number uint32, about wire.Hello, key Fingerprint, initiator bool) (*session, error) {
	defer keys.Zero()
	c, err := seal.NewCipher(keys, suite, time.Now())
	if err != nil {
		return nil, err
	}
	cfg.Cipher = c
	return n.newSession(cfg, number, about, key, initiator), nil
}

// refuseSession tells a node that has the keys of a session, and may not have it, so.
func (n *Node) refuseSession(now time.Time, keys *seal.Keys, suite seal.Suite, remote uint32, to netip.AddrPort) {
	defer keys.Zero()
	c, err := seal.NewCipher(keys, suite, now)
	if err != nil {
		return
	}
	s := link.NewSession(link.Config{Cipher: c, Remote: remote, Addr: to, Random: rand.Reader}, now)
	s.Close(uint64(CodeUnauthenticated), "")
	if packet, _, ok := s.Next(now, make([]byte, 0, wire.MaxDatagram)); ok {
		_ = n.send(packet, to)
	}
	s.Zero()
}

// acceptable checks what a node says of itself. p is whom we meant to reach; nil is
// whoever calls. mu is held.
func (h *handshakes) acceptable(about *wire.Hello, number uint32, key Fingerprint, p *Peer) error {
	n := h.node
	switch {
	case about.Session != number:
		return errors.New("session number was changed on the way")
	case ID(about.ID) == n.id:
		return errors.New("this node itself")
	case !disco.ValidName(about.Name):
		return fmt.Errorf("%q is no node name", about.Name)
	case disco.VersionsOf(about.Versions...).Highest(disco.VersionsOf(versions...)) != wire.Version:
		return errors.New("a higher version is common to both")
	case len(n.allow) > 0 && !slices.Contains(n.allow, key):
		return fmt.Errorf("%s, with key %v, is not allowed", about.Name, key)
	case p != nil && p.state.Load().Found && p.ID() != ID(about.ID):
		return fmt.Errorf("%s is not there, but another node", p.Name())
	}
	if pinned, ok := h.pins[about.Name]; ok && pinned.key != key && h.alive(pinned.peer) {
		return fmt.Errorf("%s has another key already", about.Name)
	}
	return nil
}

// alive reports whether the owner of a name is there.
func (h *handshakes) alive(p *Peer) bool {
	if p == nil || !p.Up() {
		return false
	}
	s := p.session.Load()
	return s != nil && s.answers(time.Now()) && time.Since(epoch)-time.Duration(p.heard.Load()) < pinPatience
}

// pin binds a name to a key.
func (h *handshakes) pin(name string, key Fingerprint, p *Peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.pins[name]; !ok && len(h.pins) >= h.node.limits.Peers {
		for other, pinned := range h.pins {
			if !h.alive(pinned.peer) {
				delete(h.pins, other)
			}
		}
	}
	h.pins[name] = pin{key, p}
}

// keepTicket remembers how to resume. mu is held.
func (h *handshakes) keepTicket(now time.Time, r resumption) {
	if len(h.tickets) >= maxResume {
		for t, old := range h.tickets {
			if now.After(old.until) || len(h.tickets) >= maxResume {
				old.secret.Zero()
				delete(h.tickets, t)
			}
		}
	}
	h.tickets[r.secret.Ticket] = r
}

// --- responder ---

var (
	errOtherRealm = errors.New("another realm")
	errBusy       = errors.New("too many handshakes")
	errNoSuite    = errors.New("no suite is common to both")
)

func (h *handshakes) receiveInit(now time.Time, b []byte, src netip.AddrPort) error {
	p, err := wire.ParseInit(b)
	if errors.Is(err, wire.ErrVersion) {
		v := wire.Versions{Initiator: p.Session, Versions: versions}
		if h.cookies.Allow(now) {
			_ = h.node.send(v.Append(nil), src)
		}
		return err
	}
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expire(now)
	key := initKey{src, p.Session}
	if before := h.inits[key]; before != nil && bytes.Equal(before.noise, p.Noise) {
		return h.node.send(before.answer, src)
	}
	if err := h.admit(now, p.Tag, p.Session, p.Cookie, src); err != nil {
		return err
	}
	number := h.newNumber()
	choice := uint8(seal.Choose(seal.Suite(p.Suites)))
	if choice == 0 {
		return errNoSuite
	}
	hs, noise, err := seal.Respond(h.node.identity, h.node.realm, wire.Prologue(b), p.Noise, h.node.hello(number, choice), rand.Reader)
	if err != nil {
		return err
	}
	r := wire.Resp{Initiator: p.Session, Responder: number, Noise: noise}
	half := &halfOpen{key: key, noise: bytes.Clone(p.Noise), number: number, hs: hs, answer: r.Append(nil), begun: now}
	if len(half.answer) > len(b) {
		return errors.New("INIT too short for its answer")
	}
	half.suite = seal.Suite(choice)
	h.half[number], h.inits[key] = half, half
	return h.node.send(half.answer, src)
}

// admit decides whether a handshake may cost us something. mu is held, and what has
// expired is gone.
func (h *handshakes) admit(now time.Time, tag [8]byte, number uint32, cookie [16]byte, src netip.AddrPort) error {
	if tag != h.node.realm.Tag() {
		return errOtherRealm
	}
	if len(h.half) >= easyHalfOpen || !h.rate.Allow(now) {
		if !h.jar.Valid(now, src, number, cookie) {
			if h.cookies.Allow(now) {
				c := wire.Cookie{Initiator: number, Cookie: h.jar.Cookie(now, src, number)}
				_ = h.node.send(c.Append(nil), src)
			}
			return errBusy
		}
	}
	if len(h.half) >= maxHalfOpen || !h.sources.Allow(now, src.Addr()) {
		return errBusy
	}
	return nil
}

// sweep is expire for who does not hold mu.
func (h *handshakes) sweep(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expire(now)
}

// expire drops handshakes that were not finished. mu is held.
func (h *handshakes) expire(now time.Time) {
	for _, half := range h.half {
		if now.Sub(half.begun) > halfOpenLife {
			h.drop(half)
		}
	}
}

func (h *handshakes) drop(half *halfOpen) {
	delete(h.half, half.number)
	if h.inits[half.key] == half {
		delete(h.inits, half.key)
	}
}

func (h *handshakes) receiveFin(now time.Time, b []byte, src netip.AddrPort) error {
	p, err := wire.ParseFin(b)
	if err != nil {
		return err
	}
	h.mu.Lock()
	half := h.half[p.Responder]
	if half == nil || half.hs == nil { // resumed: what is kept repeats the answer
		h.mu.Unlock()
		if h.node.sessions.get(p.Responder) != nil {
			return nil // repeated, since we have not answered yet
		}
		return errNotAwaited
	}
	s, err := h.establish(now, half, p.Noise, src)
	h.mu.Unlock()
	if err != nil {
		return err
	}
	if err := h.node.enterSession(s); err != nil {
		return err
	}
	s.heard(now, false)
	s.ping(now, nil) // confirms it
	return nil
}

// establish makes the session of a handshake that the peer began. mu is held.
func (h *handshakes) establish(now time.Time, half *halfOpen, noise []byte, src netip.AddrPort) (*session, error) {
	raw, keys, err := half.hs.ReadFinish(noise)
	if err != nil {
		return nil, err // forged, or damaged: the true one may still come
	}
	h.drop(half)
	return h.welcome(now, raw, keys, half.key, half.number, half.suite, Fingerprint(half.hs.Peer()), src, now.Sub(half.begun))
}

// welcome makes the session of a peer that has proved itself. mu is held.
func (h *handshakes) welcome(now time.Time, raw []byte, keys *seal.Keys, from initKey, number uint32, suite seal.Suite, key Fingerprint, src netip.AddrPort, rtt time.Duration) (*session, error) {
	about, err := wire.ParseHello(raw)
	if err == nil {
		err = h.acceptable(&about, from.number, key, nil)
	}
	if err != nil {
		h.node.refuseSession(now, keys, suite, from.number, src)
		return nil, err
	}
	h.keepTicket(now, resumption{keys.Resumption(), now.Add(resumeLife)})
	return h.node.sealedSession(keys, suite, link.Config{Remote: from.number, Addr: src, RTT: rtt}, number, about, key, false)
}

func (h *handshakes) receiveResume(now time.Time, b []byte, src netip.AddrPort) error {
	p, err := wire.ParseResume(b)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.expire(now)
	key := initKey{src, p.Session}
	if before := h.inits[key]; before != nil && bytes.Equal(before.noise, p.Noise) {
		defer h.mu.Unlock()
		return h.node.send(before.answer, src)
	}
	s, half, err := h.resume(now, b, p, key, src)
	h.mu.Unlock()
	if err != nil {
		return err
	}
	if err := h.node.enterSession(s); err != nil {
		return err
	}
	return h.node.send(half.answer, src)
}

// resume answers a RESUME. mu is held.
func (h *handshakes) resume(now time.Time, b []byte, p wire.Resume, key initKey, src netip.AddrPort) (*session, *halfOpen, error) {
	if err := h.admit(now, p.Tag, p.Session, p.Cookie, src); err != nil {
		return nil, nil, err
	}
	ticket, ok := h.tickets[p.Ticket]
	if !ok || now.After(ticket.until) {
		return nil, nil, errors.New("unknown ticket")
	}
	number := h.newNumber()
	choice := seal.Choose(seal.Suite(p.Suites))
	if choice == 0 {
		return nil, nil, errNoSuite
	}
	raw, noise, keys, err := seal.RespondResume(h.node.identity, h.node.realm, ticket.secret, wire.Prologue(b), p.Noise, h.node.hello(number, uint8(choice)), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	r := wire.Resumed{Initiator: p.Session, Responder: number, Noise: noise}
	half := &halfOpen{key: key, noise: bytes.Clone(p.Noise), number: number, answer: r.Append(nil), begun: now}
	if len(half.answer) > len(b) {
		keys.Zero()
		return nil, nil, errors.New("RESUME too short for its answer")
	}
	s, err := h.welcome(now, raw, keys, key, number, choice, sha256.Sum256(ticket.secret.Peer[:]), src, 0)
	if err != nil {
		return nil, nil, err
	}
	s.unproved.Store(true)
	h.half[number], h.inits[key] = half, half // to repeat the answer
	return s, half, nil
}

// knows reports whether a name has been proved by a key.
func (h *handshakes) knows(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.pins[name]
	return ok
}

// why returns why the last answer to the dial of p was refused, if one was.
func (h *handshakes) why(p *Peer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.dial == nil {
		return nil
	}
	return p.dial.why
}
