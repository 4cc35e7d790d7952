package link

import (
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/peerlink/peerlink/core/internal/seal"
	"github.com/peerlink/peerlink/core/internal/window"
	"github.com/peerlink/peerlink/core/internal/wire"
)

const (
	// workingAfter is how long a handler runs before its caller is told so.
	workingAfter = 5 * time.Millisecond
	// A peer that takes our replies and acknowledges none gets no further ones.
	maxOwedReplies = 1024
	maxOwedBytes   = 8 << 20
	// silentAfter is when probes become rare: whoever is gone for so long is not
	// waited for by the millisecond.
	silentAfter = 10 * time.Second
	rareProbe   = time.Second
)

// Sizes of datagrams, §10.5 of the protocol.
var sizes = [...]int{wire.MaxDatagram, 996, 548}

var (
	// ErrDropped says that a packet was not for us, a replay or a forgery. Nothing
	// has changed.
	ErrDropped = errors.New("packet does not verify, or came before")
	// ErrViolation says that the peer broke the protocol in an authenticated packet.
	ErrViolation = errors.New("protocol violation")
)

// Config is what a Session begins with.
type Config struct {
	Cipher     *seal.Cipher
	Remote     uint32         // session number of the peer
	Addr       netip.AddrPort // where it is
	Finish     []byte         // initiator: the FIN, sent first, and again until the peer has answered
	RTT        time.Duration  // of the handshake; 0 is unknown
	Took       time.Duration  // the handshake: a round trip at least
	MaxMessage int            // largest message taken, bytes
	Budget     int            // bytes of incomplete messages kept
	Random     io.Reader
	Waiting    func(id uint64) bool // whether a reply to this call of ours is waited for
	Free       func(*Message)       // m is not needed any more
}

// A Kind says what came from the peer.
type Kind uint8

const (
	Call     Kind = iota + 1 // a call, complete
	Stale                    // a call that may have been begun; Refuse it unless it is being served
	TooLarge                 // a call with more than MaxMessage bytes of arguments; its length is Total
	Busy                     // a call whose arguments there is no room for
	Reply                    // the answer to a call of ours
	LostCall                 // the answer to a call of ours cannot be taken: larger than MaxMessage, or no room
	Working                  // the peer has begun a call of ours
	Cancel                   // nobody waits for this call of the peer
	Moved                    // the peer has another address: Session.Addr
	Closed                   // the peer ended the session
)

// Incoming is something that came from the peer. Name and Data belong to the packet,
// unless Owned.
type Incoming struct {
	Kind    Kind
	ID      uint64
	Name    []byte
	Timeout time.Duration
	Status  uint64
	Codec   uint8
	Data    []byte
	Owned   bool
	Total   uint64
}

// Stats are counted from the begin of a session.
type Stats struct {
	Sent, Lost       uint64 // packets of ours that asked for an acknowledgement
	Received         uint64
	RTT, Variation   time.Duration
	Datagram         int // largest that is sent, bytes of UDP payload
	Unacknowledged   int // packets
	OwedReplies      int
	IncompleteBytes  int
	ProbesUnanswered int
}

// A Session is one peer: what is sent to it, what came from it, and when something
// is due. It has no clock, socket or lock: the owner serialises all calls, sends
// what Next returns, and calls Tick when Deadline has come.
type Session struct {
	cfg      Config
	replay   seal.Window
	received window.Received
	sent     window.Sent[piece]
	calls    once
	parts    assemblies
	paths    paths

	addr      netip.AddrPort
	confirmed bool // the peer has sent something that verified
	heard     time.Time
	reached   time.Time
	here      time.Time // when something came from addr last
	probes    int       // to be sent although too many packets are under way
	highest   uint64    // number of a packet of the peer
	closing   []byte    // CLOSE, to be sent once
	closed    bool

	again     []piece // lost, or to be sent once more as a probe
	againBulk []piece // lost of large messages: these heed the congestion window
	answers   queue   // small ones
	small     queue   // calls
	bulk      queue
	ping      bool
	finish    bool
	size      int // index into sizes
	shrunk    time.Time
	serving   []served // calls of the peer whose handler runs, oldest first
	working   []uint64

	owedReplies, owedBytes int
	stats                  Stats

	pieces        []piece
	ranges        []window.Range
	wireRanges    []wire.Range
	onAck, onLost func(piece)
	onProbe       func(piece)
}

type served struct {
	id    uint64
	since time.Time
}

// NewSession returns a session whose handshake is complete.
func NewSession(cfg Config, now time.Time) *Session {
	s := &Session{cfg: cfg, addr: cfg.Addr, heard: now, reached: now, finish: cfg.Finish != nil, confirmed: cfg.Finish == nil}
	s.parts.budget = cfg.Budget
	s.paths.random = cfg.Random
	if cfg.RTT > 0 {
		s.sent.RTT.Sample(cfg.RTT, 0)
	}
	s.onAck, s.onLost, s.onProbe = s.pieceAcked, s.pieceLost, s.pieceAgain // once, for they would be allocated each time
	return s
}

// Addr returns where the peer is.
func (s *Session) Addr() netip.AddrPort { return s.addr }

// Confirmed reports whether the peer has proved that it has the session.
func (s *Session) Confirmed() bool { return s.confirmed }

// Heard returns when something of the peer verified last.
func (s *Session) Heard() time.Time { return s.heard }

// Silent returns for how long nothing came, beyond three round trips.
func (s *Session) Silent(now time.Time) time.Duration {
	rtt := s.cfg.Took
	if s.sent.RTT.Known() {
		rtt = s.sent.RTT.Latest()
	}
	return now.Sub(s.heard) - 3*rtt
}

// Reached returns when something of ours was acknowledged last: who can only be heard
// is as good as gone.
func (s *Session) Reached() time.Time { return s.reached }

// limit is how many bytes of frames a packet has room for.
func (s *Session) limit() int { return sizes[s.size] - wire.HeaderSize - wire.TagSize }

// Datagram returns the size of a full packet.
func (s *Session) Datagram() int { return sizes[s.size] }

// Stats returns the counters.
func (s *Session) Stats() Stats {
	st := s.stats
	if s.sent.RTT.Known() {
		st.RTT, st.Variation = s.sent.RTT.Smoothed(), s.sent.RTT.Variation()
	}
	st.Datagram = sizes[s.size]
	st.Unacknowledged = s.sent.Unacked()
	st.OwedReplies = s.owedReplies
	st.IncompleteBytes = s.parts.held
	st.ProbesUnanswered = s.sent.PTOCount()
	return st
}

// Send queues m. What fits into one packet goes ahead of what does not.
func (s *Session) Send(m *Message, now time.Time) {
	if m.Reply {
		s.owedReplies++
		s.owedBytes += len(m.Data)
	}
	m.queued = true
	if m.bulk = m.overhead(now)+len(m.Data) > s.limit()-ackRoom; m.bulk {
		s.bulk.push(m)
	} else if m.Reply {
		s.answers.push(m)
	} else {
		s.small.push(m)
	}
}

// Drop says that nobody needs m any more.
func (s *Session) Drop(m *Message) {
	if m.dropped {
		return // given up before, by end
	}
	m.dropped = true
	if !m.Reply {
		s.parts.discard(assemblyKey{reply: true, id: m.ID})
	}
	if m.free() {
		s.free(m)
	}
}

func (s *Session) free(m *Message) {
	if m.Reply {
		s.owedReplies--
		s.owedBytes -= len(m.Data)
	}
	s.cfg.Free(m)
}

// SendCancel tells the peer that nobody waits for the answer to a call of ours.
func (s *Session) SendCancel(id uint64) { s.again = append(s.again, piece{cancel: id}) }

// Idle reports whether nothing of ours waits for an acknowledgement.
func (s *Session) Idle() bool { return s.sent.Unacked() == 0 }

// SendPing asks for a sign of life.
func (s *Session) SendPing() { s.ping = true }

// Probe looks whether the peer answers at other addresses.
func (s *Session) Probe(now time.Time, addrs []netip.AddrPort) {
	for _, a := range addrs {
		s.paths.challenge(now, a)
	}
}

// Begin notes that the handler of a call runs.
func (s *Session) Begin(now time.Time, id uint64) {
	s.serving = append(s.serving, served{id, now})
}

// End is Begin's counterpart.
func (s *Session) End(id uint64) {
	for i := range s.serving {
		if s.serving[i].id == id {
			s.serving = append(s.serving[:i], s.serving[i+1:]...)
			return
		}
	}
}

// Close ends the session. What waits to be sent is given up, but for the
// acknowledgements and a CLOSE, which Next returns once.
func (s *Session) Close(code uint64, text string) {
	if s.closed {
		return
	}
	s.closing = (&wire.Close{Code: code, Text: text}).Append(nil)
	s.end()
}

// end gives up all that waits.
func (s *Session) end() {
	s.closed = true
	for _, p := range s.again {
		s.release(p)
	}
	for _, p := range s.againBulk {
		s.release(p)
	}
	s.again, s.againBulk = nil, nil
	s.answers.clear(s.unqueue)
	s.small.clear(s.unqueue)
	s.bulk.clear(s.unqueue)
	s.sent.Clear(s.release)
}

func (s *Session) unqueue(m *Message) {
	m.queued, m.dropped = false, true
	if m.free() {
		s.free(m)
	}
}

// release lets go of a piece without sending it again.
func (s *Session) release(p piece) {
	if p.m == nil {
		return
	}
	p.m.flying--
	p.m.dropped = true
	if p.m.free() {
		s.free(p.m)
	}
}

// UpdateKeysAfter makes a key update due after so many packets; for tests.
func (s *Session) UpdateKeysAfter(packets uint64) { s.cfg.Cipher.MaxPackets = packets }

// Zero overwrites the keys. The session must not be used after it.
func (s *Session) Zero() { s.cfg.Cipher.Zero() }

// pieceAcked, pieceLost and pieceAgain are told what became of a piece.
func (s *Session) pieceAcked(p piece) {
	m := p.m
	if m == nil {
		return
	}
	m.flying--
	m.headIn = m.headIn || p.head
	if p.n > 0 {
		m.acked.add(uint64(p.off), uint64(p.off+p.n))
	}
	if m.free() {
		s.free(m)
	}
}

func (s *Session) pieceLost(p piece) {
	s.stats.Lost++
	switch {
	case p.needed() && p.m != nil && p.m.bulk:
		s.againBulk = append(s.againBulk, p) // still counted in flying
		return
	case p.needed():
		s.again = append(s.again, p)
		return
	}
	if p.m != nil {
		p.m.flying--
		if p.m.free() {
			s.free(p.m)
		}
	}
}

// pieceAgain sends a copy of what is under way already.
func (s *Session) pieceAgain(p piece) {
	if !p.needed() {
		return
	}
	if p.m != nil {
		p.m.flying++
	}
	s.again = append(s.again, p)
}
