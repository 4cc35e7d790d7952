package link

import (
	"net/netip"
	"time"

	"github.com/peerlink/peerlink/core/internal/window"
	"github.com/peerlink/peerlink/core/internal/wire"
)

// Next returns the next packet to send, in buf, and where to. It is called until ok
// is false; buf must have a capacity of wire.MaxDatagram.
func (s *Session) Next(now time.Time, buf []byte) (packet []byte, to netip.AddrPort, ok bool) {
	if s.closed {
		return s.nextClosing(buf)
	}
	if s.finish {
		s.finish = false
		return append(buf[:0], s.cfg.Finish...), s.addr, true
	}
	if p, ok := s.paths.next(); ok {
		b := wire.AppendPath(s.header(buf), p.typ, p.data)
		b = s.seal(now, b, true, noAck)
		return b, p.to, b != nil
	}
	blocked := s.sent.Full()
	if blocked && s.probes > 0 {
		s.probes--
		blocked = false
	}
	b := s.header(buf)
	end := wire.HeaderSize + s.limit()
	owes := s.received.Owes()
	room := end
	if owes {
		room -= ackRoom
	}
	if blocked { // the peer may be as well, until it gets answers
		b = s.appendSmall(now, b, room, &s.answers)
	} else {
		b = s.appendFrames(now, b, room)
	}
	eliciting := len(b) > wire.HeaderSize
	acked := noAck
	if owes && (eliciting || s.ackDue(now)) {
		b, acked = s.appendAck(now, b, end)
	}
	if len(b) == wire.HeaderSize {
		return nil, s.addr, false
	}
	b = s.seal(now, b, eliciting, acked)
	return b, s.addr, b != nil
}

func (s *Session) ackDue(now time.Time) bool {
	due, ok := s.received.Due()
	return ok && !now.Before(due)
}

const noAck = window.NoAck

// What frames may take, in bytes.
const (
	ackRoom      = 28 // an ACK of one range
	ackRangeRoom = 8  // each further one, as a rule; a packet has room to spare
	idRoom       = 10 // a CANCEL or WORKING
)

func (s *Session) nextClosing(buf []byte) (packet []byte, to netip.AddrPort, ok bool) {
	if s.closing == nil {
		return nil, s.addr, false
	}
	b := append(s.header(buf), s.closing...)
	s.closing = nil
	b = s.seal(s.heard, b, false, noAck)
	return b, s.addr, b != nil
}

func (s *Session) header(buf []byte) []byte {
	h := wire.Header{Phase: s.cfg.Cipher.Phase(), Session: s.cfg.Remote, Number: s.sent.Next()}
	return h.Append(buf[:0])
}

// seal finishes a packet and notes it.
func (s *Session) seal(now time.Time, b []byte, eliciting bool, acked uint64) []byte {
	size := len(b) + wire.TagSize
	number := s.sent.Add(now, size, eliciting, acked, s.pieces)
	s.pieces = s.pieces[:0]
	if eliciting {
		s.stats.Sent++
	}
	sealed := s.cfg.Cipher.Seal(b, number)
	if sealed == nil { // out of packet numbers, or of keys: after some 10^9 packets that nobody acknowledged
		s.end()
	}
	return sealed
}

// appendAck writes an acknowledgement, the newest ranges if not all have room, and
// returns its largest number.
func (s *Session) appendAck(now time.Time, b []byte, end int) ([]byte, uint64) {
	ranges, delay := s.received.Ack(now, s.ranges[:0])
	s.ranges = ranges
	s.wireRanges = s.wireRanges[:0]
	for i, r := range ranges {
		if i > 0 && len(b)+ackRoom+i*ackRangeRoom > end {
			break
		}
		s.wireRanges = append(s.wireRanges, wire.Range(r))
	}
	if len(s.wireRanges) == 0 {
		return b, noAck
	}
	return wire.AppendAck(b, s.wireRanges, delay), ranges[0].Last
}

// appendFrames fills a packet: answers, what must be repeated, what is small, what is
// large.
func (s *Session) appendFrames(now time.Time, b []byte, end int) []byte {
	for _, id := range s.working {
		if len(b)+idRoom <= end {
			b = wire.AppendID(b, wire.FrameWorking, id)
		}
	}
	s.working = s.working[:0] // each is told once: a note that may be lost
	b = s.appendSmall(now, b, end, &s.answers)
	b, s.again = s.appendAgain(now, b, s.again, end)
	b = s.appendSmall(now, b, end, &s.small)
	if s.sent.CanSend(sizes[s.size]) {
		b, s.againBulk = s.appendAgain(now, b, s.againBulk, end)
		b = s.appendBulk(now, b, end)
	}
	if s.ping && len(b)+2 <= end {
		b = wire.AppendPing(b)
		s.ping = false
	}
	return b
}

// appendAgain writes pieces until the packet is full, and returns those that are left.
func (s *Session) appendAgain(now time.Time, b []byte, list []piece, end int) ([]byte, []piece) {
	done := 0
	for done < len(list) {
		var fits bool
		if b, list[done], fits = s.appendPiece(now, b, list[done], end); !fits {
			break
		}
		done++
	}
	if done == 0 {
		return b, list
	}
	return b, append(list[:0], list[done:]...)
}

// appendPiece writes what is still needed of p. If not all of it fits, it returns
// the rest.
func (s *Session) appendPiece(now time.Time, b []byte, p piece, end int) (_ []byte, rest piece, fits bool) {
	switch {
	case !p.needed():
		if p.m != nil {
			p.m.flying--
			if p.m.free() {
				s.free(p.m)
			}
		}
		return b, p, true
	case p.m == nil:
		if len(b)+idRoom > end {
			return b, p, false
		}
		s.pieces = append(s.pieces, p)
		return wire.AppendID(b, wire.FrameCancel, p.cancel), p, true
	}
	off, n := p.off, p.n
	if p.head {
		room := end - len(b)
		if over := p.m.overhead(now); room < over || room < over+n && len(b) > wire.HeaderSize+ackRoom {
			return b, p, false // in a packet of its own it has a better chance to be whole
		}
		var k int
		b, k = p.m.appendHead(b, now, min(room, p.m.overhead(now)+n))
		s.pieces = append(s.pieces, piece{m: p.m, head: true, n: k})
		if k == n {
			return b, p, true
		}
		p.m.flying++ // two pieces of one
		off, n = k, n-k
	}
	b, k := p.m.appendMore(b, off, n, end-len(b))
	if k == 0 {
		return b, piece{m: p.m, off: off, n: n}, false
	}
	s.pieces = append(s.pieces, piece{m: p.m, off: off, n: k})
	if k == n {
		return b, p, true
	}
	p.m.flying++
	return b, piece{m: p.m, off: off + k, n: n - k}, false
}

func (s *Session) appendSmall(now time.Time, b []byte, end int, q *queue) []byte {
	for !q.empty() {
		m := q.first()
		if m.dropped {
			q.pop()
			s.unqueue(m)
			continue
		}
		room := end - len(b)
		if m.overhead(now)+len(m.Data) > room {
			if len(b) == wire.HeaderSize { // the limit has fallen meanwhile
				q.pop()
				s.bulk.push(m)
				continue
			}
			break
		}
		q.pop()
		m.queued, m.headOut, m.next = false, true, len(m.Data)
		b, _ = m.appendHead(b, now, room)
		s.fly(piece{m: m, head: true, n: len(m.Data)})
	}
	return b
}

func (s *Session) fly(p piece) {
	p.m.flying++
	s.pieces = append(s.pieces, p)
}

// minChunk is the least data that is worth a frame of its own.
const minChunk = 64

// appendBulk lets the large messages have the rest of the packet, in turns.
func (s *Session) appendBulk(now time.Time, b []byte, end int) []byte {
	for turns := len(s.bulk.items) - s.bulk.head; turns > 0; turns-- {
		room := end - len(b)
		if room < minChunk+40 {
			break
		}
		m := s.bulk.pop()
		switch {
		case m.dropped:
			s.unqueue(m)
			continue
		case !m.headOut:
			if m.overhead(now)+minChunk > room && len(b) > wire.HeaderSize+ackRoom {
				s.bulk.push(m) // wait for an empty packet
				continue
			}
			var k int
			b, k = m.appendHead(b, now, room)
			m.headOut, m.next = true, k
			s.fly(piece{m: m, head: true, n: k})
		case uint64(m.next) < m.acked.prefix()+maxAhead:
			var k int
			b, k = m.appendMore(b, m.next, len(m.Data)-m.next, room)
			if k > 0 {
				s.fly(piece{m: m, off: m.next, n: k})
				m.next += k
			}
		}
		if m.next < len(m.Data) {
			s.bulk.push(m)
		} else {
			m.queued = false
		}
	}
	return b
}

// Deadline returns when Tick is due; ok is false if there is nothing to wait for.
func (s *Session) Deadline(now time.Time) (at time.Time, ok bool) {
	if s.closed {
		return at, false
	}
	if at, ok = s.sent.Deadline(); ok && now.Sub(s.heard) > silentAfter {
		at = laterOf(at, now.Add(rareProbe))
	}
	if due, owes := s.received.Due(); owes {
		at, ok = earlier(at, ok, due)
	}
	if len(s.serving) > 0 {
		at, ok = earlier(at, ok, s.serving[0].since.Add(workingAfter))
	}
	return at, ok
}

func earlier(a time.Time, ok bool, b time.Time) (time.Time, bool) {
	if !ok || b.Before(a) {
		return b, true
	}
	return a, true
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Tick does what is due; Next has the packets. suspicious says that the peer does
// not answer: another address may help, or another handshake.
func (s *Session) Tick(now time.Time) (suspicious bool) {
	if s.closed {
		return false
	}
	s.cfg.Cipher.Tick(now)
	s.noteWorking(now)
	if at, ok := s.sent.Deadline(); !ok || now.Before(at) {
		return false
	}
	if s.sent.Suspicious(sizes[len(sizes)-1]) {
		s.shrink(now)
	}
	probes := s.sent.Timeout(now, s.onLost)
	if s.probes = probes; probes == 0 {
		return false
	}
	s.finish = !s.confirmed
	s.sent.Probe(probes, s.onProbe)
	s.ping = s.ping || len(s.again) == 0
	return s.sent.PTOCount() >= 2
}

// shrink sends smaller datagrams, since larger ones seem to vanish.
func (s *Session) shrink(now time.Time) {
	s.size = min(s.size+1, len(sizes)-1)
	s.sent.Resized()
	s.shrunk = now
}

// noteWorking moves calls that have been served for long to those the peer is told of.
func (s *Session) noteWorking(now time.Time) {
	k := 0
	for k < len(s.serving) && now.Sub(s.serving[k].since) >= workingAfter {
		s.working = append(s.working, s.serving[k].id)
		k++
	}
	s.serving = append(s.serving[:0], s.serving[k:]...)
}

// Expire drops messages of the peer that have not moved for a minute, and returns
// what the owner must know of them.
func (s *Session) Expire(now time.Time, in []Incoming) []Incoming {
	for _, a := range s.parts.expire(now) {
		in = append(in, s.abandon(a))
	}
	if s.size > 0 && now.Sub(s.shrunk) > 10*time.Minute {
		s.size = 0
	}
	return in
}
