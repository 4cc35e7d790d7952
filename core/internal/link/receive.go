package link

import (
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/peerlink/peerlink/core/internal/window"
	"github.com/peerlink/peerlink/core/internal/wire"
)

// Receive takes a DATA packet with its header h, opens it in place, and appends what
// the owner must act on to in. An error of ErrViolation means that the session must
// be closed.
func (s *Session) Receive(now time.Time, packet []byte, h wire.Header, from netip.AddrPort, in []Incoming) ([]Incoming, error) {
	if s.closed || !s.replay.Fresh(h.Number) {
		return in, ErrDropped
	}
	plain, err := s.cfg.Cipher.Open(now, packet, h.Phase, h.Number)
	if err != nil || s.owesTooMuch() && hasCall(plain) && !s.settles(now, plain) {
		return in, ErrDropped
	}
	s.replay.Accept(h.Number)
	s.stats.Received++
	s.heard, s.confirmed, s.finish = now, true, false
	if from == s.addr {
		s.here = now
	}
	if from != s.addr && h.Number >= s.highest {
		s.paths.arrived(now, from, len(packet))
	}
	s.highest = max(s.highest, h.Number)
	in, eliciting, err := s.frames(now, plain, from, in)
	s.received.Add(now, h.Number, eliciting)
	return in, err
}

// owesTooMuch tells a peer that does not acknowledge our replies.
func (s *Session) owesTooMuch() bool {
	return s.owedReplies >= maxOwedReplies || s.owedBytes >= maxOwedBytes && s.owedReplies > 1
}

// settles takes the acknowledgements of a packet for which there is no room otherwise,
// and reports whether there is now. They may be what the room waits for.
func (s *Session) settles(now time.Time, plain []byte) bool {
	for {
		typ, body, rest, err := wire.NextFrame(plain)
		if err != nil || typ == wire.FrameAck && s.ack(now, body) != nil {
			return !s.owesTooMuch()
		}
		plain = rest
	}
}

func hasCall(plain []byte) bool {
	for {
		typ, _, rest, err := wire.NextFrame(plain)
		if err != nil {
			return false
		}
		if typ == wire.FrameCall {
			return true
		}
		plain = rest
	}
}

func (s *Session) frames(now time.Time, plain []byte, from netip.AddrPort, in []Incoming) (_ []Incoming, eliciting bool, err error) {
	for {
		typ, body, rest, malformed := wire.NextFrame(plain)
		if malformed != nil {
			return in, eliciting || malformed != io.EOF, nil
		}
		eliciting = eliciting || typ.Eliciting()
		in, err = s.frame(now, typ, body, from, in)
		switch {
		case err == errBroken: // nothing behind it can be trusted, but the packet did arrive
			return in, true, nil
		case err != nil || s.closed:
			return in, eliciting, err
		}
		plain = rest
	}
}

func (s *Session) frame(now time.Time, typ wire.FrameType, body []byte, from netip.AddrPort, in []Incoming) ([]Incoming, error) {
	switch typ {
	case wire.FrameAck:
		return in, s.ack(now, body)
	case wire.FrameCall:
		return s.call(now, body, in)
	case wire.FrameMore:
		return s.more(now, body, in)
	case wire.FrameReply:
		return s.reply(now, body, in)
	case wire.FrameWorking:
		return identified(Working, body, in)
	case wire.FrameCancel:
		if id, err := wire.ParseID(body); err == nil && s.parts.discard(assemblyKey{id: id}) {
			s.calls.note(id) // the rest of it will not come
		}
		return identified(Cancel, body, in)
	case wire.FramePathChallenge:
		data, err := wire.ParsePath(body)
		if err != nil {
			return in, errBroken
		}
		s.paths.answer(from, data)
	case wire.FramePathResponse:
		data, err := wire.ParsePath(body)
		if err != nil {
			return in, errBroken
		}
		// Of several addresses that answer, the one in use is kept.
		asked, ok := s.paths.answered(now, from, data)
		if ok && from != s.addr && (!s.here.After(asked) || s.sent.PTOCount() >= 2) {
			s.addr = from
			s.sent.RTT, s.sent.Congestion = window.RTT{}, window.Congestion{} // of another path
			s.sent.Probe(2, s.onProbe)
			in = append(in, Incoming{Kind: Moved})
		}
	case wire.FrameClose:
		c, err := wire.ParseClose(body)
		if err != nil {
			return in, errBroken
		}
		s.end()
		in = append(in, Incoming{Kind: Closed, Status: c.Code, Data: []byte(c.Text), Owned: true})
	}
	return in, nil
}

func identified(kind Kind, body []byte, in []Incoming) ([]Incoming, error) {
	id, err := wire.ParseID(body)
	if err != nil {
		return in, errBroken
	}
	return append(in, Incoming{Kind: kind, ID: id}), nil
}

// errBroken says that the body of a frame cannot be read.
var errBroken = errors.New("broken frame")

func (s *Session) ack(now time.Time, body []byte) error {
	ranges, delay, err := wire.ParseAck(body, s.wireRanges)
	if err != nil {
		return errBroken
	}
	s.wireRanges = ranges
	s.ranges = s.ranges[:0]
	for _, r := range ranges {
		s.ranges = append(s.ranges, window.Range(r))
	}
	newly, err := s.sent.Ack(now, s.ranges, delay, s.onAck, s.onLost)
	if err != nil {
		return ErrViolation
	}
	if newly > 0 {
		s.reached = now
	}
	s.cfg.Cipher.Acknowledged(ranges[0].Last)
	if largest, ok := s.sent.AckedAck(); ok {
		s.received.Forget(largest)
	}
	return nil
}

// call takes a CALL frame: a whole call as a rule, or the begin of a large one.
func (s *Session) call(now time.Time, body []byte, in []Incoming) ([]Incoming, error) {
	c, err := wire.ParseCall(body)
	if err != nil {
		return in, errBroken
	}
	msg := Incoming{Kind: Call, ID: c.ID, Name: c.Name, Codec: c.Codec, Total: c.Total,
		Timeout: time.Duration(min(c.Timeout, maxTimeout)) * time.Millisecond}
	switch s.calls.look(c.ID) {
	case repeat:
		return in, nil
	case stale:
		msg.Kind = Stale
		return append(in, msg), nil
	}
	switch {
	case c.Total > uint64(s.cfg.MaxMessage):
		s.calls.note(c.ID)
		msg.Kind = TooLarge
		return append(in, msg), nil
	case uint64(len(c.Data)) == c.Total:
		s.calls.note(c.ID)
		s.parts.discard(assemblyKey{id: c.ID})
		msg.Data = c.Data
		return append(in, msg), nil
	}
	return s.assemble(now, assemblyKey{id: c.ID}, c.Total, 0, c.Data, &msg, in)
}

// maxTimeout keeps a timeout from overflowing, in milliseconds: a year.
const maxTimeout = 365 * 24 * 3600 * 1000

func (s *Session) reply(now time.Time, body []byte, in []Incoming) ([]Incoming, error) {
	r, err := wire.ParseReply(body)
	if err != nil {
		return in, errBroken
	}
	if !s.cfg.Waiting(r.ID) {
		return in, nil
	}
	msg := Incoming{Kind: Reply, ID: r.ID, Status: r.Status, Codec: r.Codec, Total: r.Total}
	switch {
	case r.Total > uint64(s.cfg.MaxMessage):
		msg.Kind = LostCall
		return append(in, msg), nil
	case uint64(len(r.Data)) == r.Total:
		s.parts.discard(assemblyKey{reply: true, id: r.ID})
		msg.Data = r.Data
		return append(in, msg), nil
	}
	return s.assemble(now, assemblyKey{reply: true, id: r.ID}, r.Total, 0, r.Data, &msg, in)
}

func (s *Session) more(now time.Time, body []byte, in []Incoming) ([]Incoming, error) {
	f, err := wire.ParseMore(body)
	if err != nil {
		return in, errBroken
	}
	key := assemblyKey{reply: f.Direction == wire.Result, id: f.ID}
	unwanted := f.Total > uint64(s.cfg.MaxMessage)
	if key.reply {
		unwanted = unwanted || !s.cfg.Waiting(f.ID)
	} else {
		unwanted = unwanted || s.calls.look(f.ID) != begin
	}
	if unwanted { // its first frame says, or has said, why
		return in, nil
	}
	return s.assemble(now, key, f.Total, f.Offset, f.Data, nil, in)
}

// assemble adds data to a message that does not come in one frame.
func (s *Session) assemble(now time.Time, key assemblyKey, total, off uint64, data []byte, head *Incoming, in []Incoming) ([]Incoming, error) {
	if key.reply && holdsReply(in, key.id) {
		return in, nil // it was completed by this very packet
	}
	a := s.parts.find(key, total, now)
	if a == nil {
		if other := s.parts.open[key]; other != nil { // of another length
			s.parts.remove(other)
		}
		return append(in, s.refuse(key, total)), nil
	}
	if head != nil {
		a.keepHead(*head)
	}
	if end := off + uint64(len(data)); a.fits(off, end) && s.parts.held+int(end)-cap(a.buf) > s.parts.budget {
		return append(in, s.abandon(a)), nil // before anything is allocated
	}
	grew, err := a.add(now, off, data)
	if err != nil {
		return in, ErrViolation
	}
	s.parts.held += grew
	switch {
	case a.complete():
		s.parts.remove(a)
		if !key.reply {
			s.calls.note(key.id)
		}
		return append(in, a.take()), nil
	case s.parts.held > s.parts.budget:
		return append(in, s.abandon(a)), nil
	}
	return in, nil
}

func holdsReply(in []Incoming, id uint64) bool {
	for i := range in {
		if in[i].ID == id && (in[i].Kind == Reply || in[i].Kind == LostCall) {
			return true
		}
	}
	return false
}

// abandon gives up an incomplete message.
func (s *Session) abandon(a *assembly) Incoming {
	s.parts.remove(a)
	return s.refuse(a.key, a.total)
}

func (s *Session) refuse(key assemblyKey, total uint64) Incoming {
	if key.reply {
		return Incoming{Kind: LostCall, ID: key.id, Total: total}
	}
	s.calls.note(key.id)
	return Incoming{Kind: Busy, ID: key.id, Total: total}
}
