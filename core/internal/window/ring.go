package window

import (
	"sort"
	"time"
)

// keepSlots is how much room an empty ring keeps.
const keepSlots = 1024

type state uint8

const (
	inFlight state = iota
	gone           // acknowledged or lost: its frames are back with the owner
	arrived        // gone, because it was acknowledged
)

// A packet is an eliciting packet of ours.
type packet[F any] struct {
	number uint64
	sent   time.Time
	acks   uint64 // the highest packet of the peer that it acknowledges, or NoAck
	size   int
	state  state
	frames []F // memory that the next packet in this slot uses again
}

// giveBack hands the frames to f and keeps no reference to them.
func (p *packet[F]) giveBack(f func(F)) {
	for _, frame := range p.frames {
		f(frame)
	}
	clear(p.frames)
	p.frames = p.frames[:0]
}

// A ring is a queue of packets in the order of their numbers. Its first packet is
// always in flight, except while an ACK is worked on.
type ring[F any] struct {
	slots []packet[F] // a power of two of them
	head  int
	n     int
}

func (r *ring[F]) at(i int) *packet[F] { return &r.slots[(r.head+i)&(len(r.slots)-1)] }

// push returns the slot for one more packet.
func (r *ring[F]) push() *packet[F] {
	if r.n == len(r.slots) {
		slots := make([]packet[F], max(16, 2*len(r.slots)))
		k := copy(slots, r.slots[r.head:])
		copy(slots[k:], r.slots[:r.head])
		r.slots, r.head = slots, 0
	}
	r.n++
	return r.at(r.n - 1)
}

// trim takes the packets out at the front that are not in flight.
func (r *ring[F]) trim() {
	for r.n > 0 && r.at(0).state != inFlight {
		r.head = (r.head + 1) & (len(r.slots) - 1)
		r.n--
	}
	if r.n == 0 && len(r.slots) > keepSlots {
		*r = ring[F]{}
	}
}

// from returns the index of the first packet whose number is at least number.
func (r *ring[F]) from(number uint64) int {
	if r.n == 0 || r.at(0).number >= number {
		return 0
	}
	return sort.Search(r.n, func(i int) bool { return r.at(i).number >= number })
}
