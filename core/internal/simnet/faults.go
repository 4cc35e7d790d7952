package simnet

import "time"

// Faults say what a link, which is one direction, does to datagrams. The zero value
// does nothing to them: they arrive at once and in order. Probabilities are 0 to 1, for
// each datagram; sizes are bytes of UDP payload.
type Faults struct {
	Loss      float64 // it vanishes
	Duplicate float64 // it arrives twice, the second time right behind and never corrupted
	Corrupt   float64 // one to three of its bits are flipped
	Reorder   float64 // it takes ReorderDelay instead of Delay, and those behind do not wait for it

	// Delay is how long a datagram takes, one way, and Jitter how much it takes
	// longer at most. Jitter does not reorder: a fast one waits for those ahead.
	Delay, Jitter time.Duration

	// ReorderDelay is how long a reordered datagram takes; Delay and 10 ms if
	// zero. Jitter comes on top.
	ReorderDelay time.Duration

	MTU int // larger ones vanish; 0 for no limit

	// Rate is what the link carries in a second, 0 for any amount. What comes
	// faster waits; when more than Queue bytes would wait, it vanishes. Zero
	// stands for 256 KiB.
	Rate, Queue int

	// In every period of SpikeEvery but the first since New, nothing arrives for
	// the first SpikeFor; then all of it does. SpikeFor is the shorter one. No
	// spikes if SpikeEvery is zero.
	SpikeEvery, SpikeFor time.Duration
}

const (
	defaultQueue = 256 << 10
	reorderExtra = 10 * time.Millisecond
)

func (f *Faults) reorderDelay() time.Duration {
	if f.ReorderDelay != 0 {
		return f.ReorderDelay
	}
	return f.Delay + reorderExtra
}

func (f *Faults) queue() int {
	if f.Queue != 0 {
		return f.Queue
	}
	return defaultQueue
}

// afterSpike returns when a datagram arrives that would at that time, were there no
// spikes.
func (f *Faults) afterSpike(at time.Duration) time.Duration {
	if f.SpikeEvery <= 0 || at < f.SpikeEvery {
		return at
	}
	return at + max(f.SpikeFor-at%f.SpikeEvery, 0)
}

// sending is how long the link is busy with that many bytes.
func (f *Faults) sending(bytes int) time.Duration {
	return time.Duration(bytes) * time.Second / time.Duration(f.Rate)
}

// flip flips one to three bits of b, as 64 random bits say. It cannot if b is
// empty.
func flip(b []byte, random uint64) bool {
	if len(b) == 0 {
		return false
	}
	const each = 20 // enough for the bits of the largest datagram
	var done [3]uint64
	for i := range random%3 + 1 {
		bit := random >> (i * each) & (1<<each - 1) % uint64(len(b)*8)
		if i > 0 && bit == done[0] || i > 1 && bit == done[1] {
			continue // twice is not at all
		}
		done[i] = bit
		b[bit/8] ^= 1 << (bit % 8)
	}
	return true
}
