package window

import (
	"math"
	"time"
)

const (
	mtu           = 1232
	initialWindow = 64 << 10
	minWindow     = 4 * mtu
	maxWindow     = 4 << 20

	// A loss rate needs that many bytes to be told from chance: at 1 % of random
	// loss, 512 packets show 2 % once in a hundred times, 50 packets once in ten.
	tallySize = 512 * mtu
)

// Congestion is the congestion window of RFC 9002 §7 with the changes of
// PROTOCOL.md §10.4. The zero value is a window of 64 KiB in slow start.
type Congestion struct {
	window    int // bytes; 0 is initialWindow
	threshold int // of slow start; 0 is none
	credit    int // acknowledged bytes that do not count as a packet of growth yet

	recovery  uint64 // the first packet sent after the last reduction
	roundEnd  uint64 // the first packet sent after the window before was acknowledged
	roundLost int    // bytes lost in this round

	now, before tally
	samples     [8]time.Duration // the last round-trip times
	sampled     int
}

// A tally is what became of a few hundred packets, in bytes.
type tally struct{ sent, lost int }

// Window returns how many bytes may be in flight.
func (c *Congestion) Window() int {
	if c.window == 0 {
		return initialWindow
	}
	return c.window
}

func (c *Congestion) slowStart() bool { return c.threshold == 0 || c.Window() < c.threshold }

// Sample takes in a round-trip time; minimum is the lowest ever. Slow start ends
// when the way has become longer, as in RFC 9406 but without its second phase.
func (c *Congestion) Sample(latest, minimum time.Duration) {
	c.samples[c.sampled%len(c.samples)] = latest
	c.sampled++
	if c.sampled < len(c.samples) || !c.slowStart() || c.Window() <= initialWindow {
		return
	}
	longer := min(max(minimum/8, 4*time.Millisecond), 16*time.Millisecond)
	if c.recent() >= minimum+longer {
		c.threshold = c.Window()
	}
}

// recent is the lowest of the last samples: one late ACK is not a longer way.
func (c *Congestion) recent() time.Duration {
	n := min(c.sampled, len(c.samples))
	lowest := time.Duration(math.MaxInt64)
	for _, s := range c.samples[:n] {
		lowest = min(lowest, s)
	}
	return lowest
}

// Acked takes in that a packet of size bytes arrived. next is the number of the
// next packet to be sent; limited says that the window was what held the sender
// back, without which it does not grow.
func (c *Congestion) Acked(number uint64, size int, next uint64, limited bool) {
	c.count(size, 0)
	if number >= c.roundEnd {
		c.roundEnd, c.roundLost = next, 0
	}
	if number >= c.recovery && limited {
		c.grow(size)
	}
}

func (c *Congestion) grow(size int) {
	w := c.Window()
	if c.slowStart() {
		c.window = min(w+size, maxWindow)
		return
	}
	if c.credit += size; c.credit >= w {
		c.credit -= w
		c.window = min(w+mtu, maxWindow)
	}
}

func (c *Congestion) count(acked, lost int) {
	c.now.sent += acked + lost
	c.now.lost += lost
	if c.now.sent >= max(tallySize, c.Window()) {
		c.before, c.now = c.now, tally{}
	}
}

// Lost takes in that size bytes are lost at once, in packets up to highest. next is
// the number of the next packet to be sent, minimum the lowest round-trip time. The
// window shrinks once per round trip, and not at all by a little loss without a
// longer way, which is radio rather than congestion.
func (c *Congestion) Lost(highest uint64, size int, next uint64, minimum time.Duration) {
	c.roundLost += size
	// before count, which may begin a new tally
	tolerated := c.little(size) && !c.longer(minimum)
	c.count(0, size)
	if highest < c.recovery || tolerated {
		return
	}
	c.recovery, c.credit = next, 0
	c.window = max(c.Window()*7/10, minWindow)
	c.threshold = c.window
}

// little reports whether size bytes more make less than 2 % of what was sent of
// late, and less than an eighth of a window in this round.
func (c *Congestion) little(size int) bool {
	lost := c.before.lost + c.now.lost + size
	sent := max(c.before.sent+c.now.sent, c.Window())
	return lost*50 < sent && c.roundLost*8 < c.Window()
}

func (c *Congestion) longer(minimum time.Duration) bool {
	return c.sampled > 0 && c.recent() > minimum+minimum/4+2*time.Millisecond
}

// Collapse is for persistent congestion (RFC 9002 §7.6): back to the least window.
func (c *Congestion) Collapse() {
	c.window, c.credit, c.recovery = minWindow, 0, 0
}

// Rest is for a sender that was idle: what it knew about the way is old, and it must
// not send all of a large window in one burst.
func (c *Congestion) Rest() {
	c.window = min(c.Window(), initialWindow)
}
