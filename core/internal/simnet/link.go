package simnet

import (
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"time"
)

// A direction names a link.
type direction struct{ from, to netip.Addr }

// A link carries datagrams from one address to another.
type link struct {
	random *rand.Rand
	own    bool // faults are in use, instead of those of the network
	faults Faults
	cut    bool
	idle   time.Duration // when it will have sent all that waits for its rate
	last   time.Duration // when the last datagram that was not reordered arrives
}

// link returns the link of a direction. n.mu is held.
func (n *Network) link(from, to netip.Addr) *link {
	d := direction{from, to}
	l := n.links[d]
	if l == nil {
		l = &link{random: rand.New(rand.NewPCG(n.seed, d.hash()))}
		n.links[d] = l
	}
	return l
}

// hash is the same in every run.
func (d direction) hash() uint64 {
	h := fnv.New64a()
	h.Write(d.to.AppendTo(append(d.from.AppendTo(nil), ' ')))
	return h.Sum64()
}

// A fate is what chance does to one datagram.
type fate struct {
	lost, duplicated, corrupted, reordered bool

	jitter time.Duration
	bits   uint64 // which bits are flipped
}

// draw returns the fate of the next datagram. It takes as much from the generator
// whatever the faults are, so that a fate does not depend on those before it.
func (l *link) draw(f *Faults) fate {
	r := l.random
	return fate{
		lost:       r.Float64() < f.Loss,
		duplicated: r.Float64() < f.Duplicate,
		corrupted:  r.Float64() < f.Corrupt,
		reordered:  r.Float64() < f.Reorder,
		jitter:     time.Duration(r.Float64() * float64(f.Jitter)),
		bits:       r.Uint64(),
	}
}

// enqueue makes a datagram wait for its turn on a link of limited rate. It returns
// false if the queue is full.
func (l *link) enqueue(f *Faults, now time.Duration, size int) bool {
	if f.Rate <= 0 {
		l.idle = now
		return true
	}
	waiting := max(l.idle-now, 0)
	if waiting > 0 && waiting+f.sending(size) > f.sending(f.queue()) {
		return false
	}
	l.idle = now + waiting + f.sending(size)
	return true
}

// arrival returns when the datagram that was enqueued last arrives.
func (l *link) arrival(f *Faults, x fate, now time.Duration) time.Duration {
	sent := max(l.idle, now) + x.jitter
	if x.reordered {
		return f.afterSpike(sent + f.reorderDelay())
	}
	l.last = max(l.last, f.afterSpike(sent+f.Delay))
	return l.last
}
