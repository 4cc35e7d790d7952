package link

import (
	"time"

	"github.com/peerlink/peerlink/core/internal/wire"
)

// maxAhead is how much of one message may be under way beyond its first byte that
// is not acknowledged: what the receiver must be ready to keep.
const maxAhead = 1 << 20

// A Message is a call or a reply on its way to the peer. Its owner fills in the
// exported fields, hands it to Session.Send, and leaves it alone until Config.Free
// gives it back.
type Message struct {
	Reply    bool
	ID       uint64
	Status   uint64 // of a reply; 0 is a result
	Codec    uint8
	Name     []byte    // of the function, in a call
	Deadline time.Time // of a call; zero is none
	Data     []byte
	Owner    any

	bulk    bool // does not fit into one packet
	queued  bool // in one of the queues
	flying  int  // pieces that were sent, or wait to be sent again
	dropped bool // nobody needs it any more
	headOut bool // the first frame has been sent
	next    int  // first byte that has never been sent
	headIn  bool // the first frame is acknowledged
	acked   spans
}

// Reset makes m as new, but keeps what it has allocated.
func (m *Message) Reset() {
	*m = Message{Data: m.Data[:0], acked: m.acked[:0]}
}

// delivered reports whether the peer has all of it.
func (m *Message) delivered() bool {
	return m.headIn && (len(m.Data) == 0 || m.acked.has(0, uint64(len(m.Data))))
}

// free reports whether nothing refers to it any more.
func (m *Message) free() bool {
	return m.flying == 0 && !m.queued && (m.dropped || m.Reply && m.delivered())
}

// overhead is what the first frame takes beside data.
func (m *Message) overhead(now time.Time) int {
	if m.Reply {
		r := m.reply()
		return r.Overhead()
	}
	c := m.call(now)
	return c.Overhead()
}

func (m *Message) call(now time.Time) wire.Call {
	return wire.Call{ID: m.ID, Timeout: m.timeout(now), Codec: m.Codec, Name: m.Name, Total: uint64(len(m.Data))}
}

func (m *Message) reply() wire.Reply {
	return wire.Reply{ID: m.ID, Status: m.Status, Codec: m.Codec, Total: uint64(len(m.Data))}
}

// timeout is what is left of the call's time, in milliseconds; at least 1, since 0
// means none.
func (m *Message) timeout(now time.Time) uint64 {
	if m.Deadline.IsZero() {
		return 0
	}
	return uint64(max(1, m.Deadline.Sub(now).Milliseconds()))
}

// appendHead writes the first frame with as much data as fits into room, and
// returns how much that is.
func (m *Message) appendHead(b []byte, now time.Time, room int) ([]byte, int) {
	k := min(len(m.Data), room-m.overhead(now))
	if m.Reply {
		r := m.reply()
		r.Data = m.Data[:k]
		return r.Append(b), k
	}
	c := m.call(now)
	c.Data = m.Data[:k]
	return c.Append(b), k
}

// appendMore writes data from off on, at most n bytes and what fits into room.
func (m *Message) appendMore(b []byte, off, n, room int) ([]byte, int) {
	f := wire.More{Direction: wire.Arguments, ID: m.ID, Total: uint64(len(m.Data)), Offset: uint64(off)}
	if m.Reply {
		f.Direction = wire.Result
	}
	k := min(n, room-f.Overhead())
	if k <= 0 {
		return b, 0
	}
	f.Data = m.Data[off : off+k]
	return f.Append(b), k
}

// A piece is what one packet holds of a message, or a frame that must arrive.
type piece struct {
	m      *Message
	head   bool // the first frame
	off, n int
	cancel uint64 // if m is nil: CANCEL of this call, 0 for nothing
}

// needed reports whether a piece that was lost must be sent again.
func (p piece) needed() bool {
	switch {
	case p.m == nil:
		return p.cancel != 0
	case p.m.dropped:
		return false
	case p.head && !p.m.headIn:
		return true
	default:
		return p.n > 0 && !p.m.acked.has(uint64(p.off), uint64(p.off+p.n))
	}
}
