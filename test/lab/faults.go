//go:build linux

package lab

import "time"

// Faults is what a switch does to the IP packets that go from one host to another.
// Likelihoods are from 0 to 1 and tossed for every packet and receiver by itself. The
// zero value is a perfect network. ARP and neighbor discovery (RFC 4861) suffer from
// Blocked only: what is tested is programs, not kernels.
type Faults struct {
	Loss      float64 // it vanishes
	Duplicate float64 // it comes twice
	Reorder   float64 // it comes 3 ms later than it would, so that others overtake it

	// Corrupt flips one bit of the payload of a UDP datagram and mends the checksum,
	// so that the program gets it.
	Corrupt float64

	Delay  time.Duration // how late it comes
	Jitter time.Duration // up to this much later; packets closer to each other than that overtake

	// MTU makes longer IP packets vanish without a word; 0 is none. The hosts do not
	// know of it.
	MTU int

	// Rate is in bits per second, Ethernet header included; 0 is no limit. What
	// would have to wait more than 200 ms for its turn is dropped.
	Rate int

	NoMulticast bool // multicast vanishes, broadcast does not
	Blocked     bool // everything vanishes

	// Seed decides how the coins fall; setting faults begins anew.
	Seed uint64
}

const (
	lateness   = 3 * time.Millisecond
	maxBacklog = 200 * time.Millisecond
)

// Counters count frames from one host to another, or between all. A multicast frame
// counts once for each receiver.
//
// Frames + Duplicated = Delivered + Lost + Blocked + TooLong + Filtered + Full +
// Refused + those under way.
type Counters struct {
	Frames     uint64 // came from the sender
	Delivered  uint64
	Lost       uint64 // by Loss
	Blocked    uint64 // by Blocked
	TooLong    uint64 // for MTU
	Filtered   uint64 // by NoMulticast
	Full       uint64 // for Rate, or for the queue of the receiving port
	Refused    uint64 // eth0 of the receiver is down
	Duplicated uint64
	Corrupted  uint64
	Reordered  uint64
}

func (c *Counters) add(d Counters) {
	c.Frames += d.Frames
	c.Delivered += d.Delivered
	c.Lost += d.Lost
	c.Blocked += d.Blocked
	c.TooLong += d.TooLong
	c.Filtered += d.Filtered
	c.Full += d.Full
	c.Refused += d.Refused
	c.Duplicated += d.Duplicated
	c.Corrupted += d.Corrupted
	c.Reordered += d.Reordered
}
