package window

import (
	"errors"
	"math"
	"time"
)

// NoAck is the largestAcked of a packet without an ACK.
const NoAck uint64 = math.MaxUint64

const (
	maxPackets      = 8192 // in flight, from the oldest on
	packetThreshold = 3    // RFC 9002 §6.1.1
	persistent      = 3    // RFC 9002 §7.6.1
	suspiciousPTOs  = 2
)

var (
	// ErrUnsent says that the peer acknowledges what was never sent.
	ErrUnsent = errors.New("window: acknowledged but never sent")
	// ErrRanges says that the ranges of an ACK are not in order.
	ErrRanges = errors.New("window: ranges out of order")
)

// Sent knows what of ours is under way. F is what the owner puts into packets; for
// each packet that holds one it gets it back exactly once, as acknowledged or as
// lost. The functions that get it must not call Sent. The zero value is ready, with
// packet 0 as the next.
//
// RTT and Congestion belong to the path: the owner gives RTT the sample of the
// handshake, and sets both to their zero values when the path changes.
type Sent[F any] struct {
	RTT        RTT
	Congestion Congestion

	next     uint64
	packets  ring[F] // eliciting ones only, since no others are acknowledged reliably
	unacked  int     // of them in flight
	bytes    int     // of these
	lastSent time.Time

	largest  uint64 // acknowledged; valid if anyAcked
	anyAcked bool
	lossAt   time.Time // when a packet that was overtaken is lost; zero if there is none
	since    time.Time // of the last ACK of something new, or of the last PTO
	ptos     int       // in a row

	ackedAck    uint64
	anyAckAcked bool
	hole        blackHole
}

// Next returns the number of the next packet.
func (s *Sent[F]) Next() uint64 { return s.next }

// Unacked returns how many eliciting packets are neither acknowledged nor lost.
func (s *Sent[F]) Unacked() int { return s.unacked }

// InFlight returns the bytes of the packets that Unacked counts.
func (s *Sent[F]) InFlight() int { return s.bytes }

// PTOCount returns how many PTOs passed since something was acknowledged.
func (s *Sent[F]) PTOCount() int { return s.ptos }

// Full reports whether so many packets are tracked that only probes, ACKs and
// answers that cannot wait may be sent.
func (s *Sent[F]) Full() bool { return s.packets.n >= maxPackets }

// CanSend reports whether the congestion window has room for a packet of size bytes.
func (s *Sent[F]) CanSend(size int) bool { return s.bytes+size <= s.Congestion.Window() }

// Add notes that the next packet, of size bytes, is sent now, and returns its number.
// It elicits an ACK or does not; if it has frames it does. largestAcked is the
// highest packet of the peer that an ACK in it covers, or NoAck. frames is copied.
func (s *Sent[F]) Add(now time.Time, size int, eliciting bool, largestAcked uint64, frames []F) (number uint64) {
	number = s.next
	s.next++
	if !eliciting && len(frames) == 0 {
		return number
	}
	if s.unacked == 0 && s.Congestion.Window() > initialWindow && now.Sub(s.lastSent) > s.RTT.PTO(0) {
		s.Congestion.Rest()
	}
	s.lastSent = now
	s.unacked++
	s.bytes += size
	p := s.packets.push()
	p.number, p.sent, p.acks, p.size, p.state = number, now, largestAcked, size, inFlight
	p.frames = append(p.frames[:0], frames...)
	return number
}

// Ack takes in an ACK: its ranges, newest first, and the delay that it claims. It
// calls acked for the frames of each packet that it is the first to acknowledge, then
// lost for those of the packets that are lost by this. newly counts the former. An
// ACK that cannot be true is an error, ErrUnsent or ErrRanges, and changes nothing.
func (s *Sent[F]) Ack(now time.Time, ranges []Range, delay time.Duration, acked, lost func(F)) (newly int, err error) {
	if len(ranges) == 0 {
		return 0, nil
	}
	if err := s.check(ranges); err != nil {
		return 0, err
	}
	largest := ranges[0].Last
	limited := s.limited()
	for _, r := range ranges {
		if s.packets.n == 0 || r.Last < s.packets.at(0).number {
			break
		}
		for i := s.packets.from(r.First); i < s.packets.n; i++ {
			p := s.packets.at(i)
			if p.number > r.Last {
				break
			}
			if p.state != inFlight {
				continue
			}
			if p.number == largest {
				s.sample(now.Sub(p.sent), delay)
			}
			s.arrive(p, limited)
			p.giveBack(acked)
			newly++
		}
	}
	if newly > 0 {
		s.since, s.ptos = now, 0
	}
	if newly > 0 || !s.anyAcked || largest > s.largest {
		s.largest = max(s.largest, largest)
		s.anyAcked = true
		s.detect(now, lost)
	}
	return newly, nil
}

// check looks at ranges as far as they say anything new.
func (s *Sent[F]) check(ranges []Range) error {
	if ranges[0].Last >= s.next {
		return ErrUnsent
	}
	for i, r := range ranges {
		if r.First > r.Last || i > 0 && r.Last >= ranges[i-1].First {
			return ErrRanges
		}
		if s.packets.n == 0 || r.Last < s.packets.at(0).number {
			break
		}
	}
	return nil
}

// limited reports whether it was the window that kept more from being sent. In slow
// start half a window is enough, because ACKs of a whole one come in small bites.
func (s *Sent[F]) limited() bool {
	w := s.Congestion.Window()
	return s.bytes+2*mtu >= w || s.Congestion.slowStart() && s.bytes >= w/2
}

func (s *Sent[F]) sample(latest, delay time.Duration) {
	s.RTT.Sample(latest, delay)
	s.Congestion.Sample(latest, s.RTT.Min())
}

// arrive takes p, which is acknowledged, out of flight.
func (s *Sent[F]) arrive(p *packet[F], limited bool) {
	p.state = arrived
	s.unacked--
	s.bytes -= p.size
	s.Congestion.Acked(p.number, p.size, s.next, limited)
	s.hole.acked(p.size)
	if p.acks != NoAck {
		s.ackedAck = max(s.ackedAck, p.acks)
		s.anyAckAcked = true
	}
}

// detect finds the packets that are lost (PROTOCOL.md §10.2). There are never more
// than a few to look at: what is packetThreshold below the largest is gone.
func (s *Sent[F]) detect(now time.Time, lost func(F)) {
	var run run
	var highest uint64
	var size int
	delay := s.RTT.lossDelay()
	s.lossAt = time.Time{}
	for i := 0; i < s.packets.n; i++ {
		p := s.packets.at(i)
		if p.number > s.largest {
			break
		}
		at := p.sent.Add(delay)
		switch {
		case p.state != inFlight:
			run.interrupt(p.state)
		case s.largest-p.number >= packetThreshold || !now.Before(at):
			run.add(p.sent)
			highest, size = p.number, size+p.size
			s.hole.lost(p.number, p.size, s.next)
			s.lose(p, lost)
		case s.lossAt.IsZero(): // the others were sent later
			s.lossAt = at
		}
	}
	s.packets.trim()
	if size > 0 {
		s.Congestion.Lost(highest, size, s.next, s.RTT.Min())
		s.persist(run.longest)
	}
}

func (s *Sent[F]) lose(p *packet[F], lost func(F)) {
	p.state = gone
	s.unacked--
	s.bytes -= p.size
	p.giveBack(lost)
}

// persist notices persistent congestion: nothing sent for so long has arrived.
func (s *Sent[F]) persist(length time.Duration) {
	if s.RTT.Known() && length > persistent*s.RTT.patience() {
		s.Congestion.Collapse()
		s.RTT.min = s.RTT.latest // the way may be another one
	}
}

// A run measures how long all that was sent got lost.
type run struct {
	begin   time.Time
	longest time.Duration
}

func (r *run) add(sent time.Time) {
	if r.begin.IsZero() {
		r.begin = sent
	}
	r.longest = max(r.longest, sent.Sub(r.begin))
}

func (r *run) interrupt(by state) {
	if by == arrived {
		r.begin = time.Time{}
	}
}

// AckedAck returns the highest packet of the peer that is covered by an ACK which
// the peer has got: all below may be forgotten (Received.Forget). ok is false if
// there is none yet.
func (s *Sent[F]) AckedAck() (largest uint64, ok bool) { return s.ackedAck, s.anyAckAcked }

// Deadline returns when Timeout is to be called unless an ACK comes before. ok is
// false if nothing is waited for.
func (s *Sent[F]) Deadline() (at time.Time, ok bool) {
	if s.unacked == 0 {
		return time.Time{}, false
	}
	if !s.lossAt.IsZero() {
		return s.lossAt, true
	}
	return s.ptoAt(), true
}

// ptoAt is when the PTO passes. It does not begin anew with each packet sent as in
// RFC 9002 §6.2.1: calls are not held back by the congestion window, so that a busy
// caller would put it off for ever.
func (s *Sent[F]) ptoAt() time.Time {
	begin := s.packets.at(0).sent
	if begin.Before(s.since) {
		begin = s.since
	}
	return begin.Add(s.RTT.PTO(s.ptos))
}

// Timeout is to be called when Deadline has passed. It calls lost for the frames of
// packets that are lost by now, or returns how many probes are to be sent, whatever
// the congestion window says. Before the deadline it does nothing.
func (s *Sent[F]) Timeout(now time.Time, lost func(F)) (probes int) {
	at, ok := s.Deadline()
	if !ok || now.Before(at) {
		return 0
	}
	if !s.lossAt.IsZero() {
		s.detect(now, lost)
		return 0
	}
	s.ptos++
	s.since = now
	switch {
	case s.packets.n >= 2*maxPackets: // thousands of probes in vain
		return 0
	case s.ptos == 1:
		return min(s.unacked, 2)
	default:
		return 2
	}
}

// Probe calls f for the frames of the n oldest packets in flight. They stay there:
// the owner sends the frames again and must expect each copy back.
func (s *Sent[F]) Probe(n int, f func(F)) {
	for i := 0; i < s.packets.n && n > 0; i++ {
		p := s.packets.at(i)
		if p.state != inFlight {
			continue
		}
		n--
		for _, frame := range p.frames {
			f(frame)
		}
	}
}

// Suspicious reports whether the path seems to swallow packets larger than size
// bytes: two PTOs passed in a row with such packets in flight, or they are lost time
// after time while smaller ones arrive.
func (s *Sent[F]) Suspicious(size int) bool {
	if s.hole.strikes >= strikesOut && s.hole.size > size {
		return true
	}
	if s.ptos < suspiciousPTOs {
		return false
	}
	for i := range s.packets.n {
		if p := s.packets.at(i); p.state == inFlight && p.size > size {
			return true
		}
	}
	return false
}

// Resized says that packets have another size from now on, so that earlier losses
// say nothing more about it.
func (s *Sent[F]) Resized() { s.hole = blackHole{} }

// Clear calls lost for the frames of all that is in flight: the session has ended.
// Numbers go on.
func (s *Sent[F]) Clear(lost func(F)) {
	for i := range s.packets.n {
		if p := s.packets.at(i); p.state == inFlight {
			s.lose(p, lost)
		}
	}
	s.packets.trim()
	s.lossAt, s.ptos = time.Time{}, 0
}
