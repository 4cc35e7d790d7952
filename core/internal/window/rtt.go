package window

import "time"

// InitialRTT is assumed until there is a sample.
const InitialRTT = 50 * time.Millisecond

const (
	granularity = time.Millisecond // what timers can be trusted with
	maxPTO      = 400 * time.Millisecond
)

// RTT is the round-trip time to a peer as RFC 9002 §5 estimates it. The zero value
// has no sample.
type RTT struct {
	latest, smoothed, variation, min time.Duration
	known                            bool
}

// Sample takes in a round trip that lasted latest, of which the peer says that it
// spent ackDelay before it answered. No more than MaxDelay of that is believed.
func (r *RTT) Sample(latest, ackDelay time.Duration) {
	latest = max(0, latest)
	r.latest = latest
	if !r.known {
		r.known, r.min, r.smoothed, r.variation = true, latest, latest, latest/2
		return
	}
	r.min = min(r.min, latest)
	ackDelay = min(max(0, ackDelay), MaxDelay)
	if latest >= r.min+ackDelay {
		latest -= ackDelay
	}
	r.variation += ((r.smoothed - latest).Abs() - r.variation) / 4
	r.smoothed += (latest - r.smoothed) / 8
}

// Known reports whether there was a sample.
func (r *RTT) Known() bool { return r.known }

// Latest returns the last sample, 0 without one.
func (r *RTT) Latest() time.Duration { return r.latest }

// Min returns the lowest sample, 0 without one.
func (r *RTT) Min() time.Duration { return r.min }

// Smoothed returns the moving average, InitialRTT without a sample.
func (r *RTT) Smoothed() time.Duration {
	if !r.known {
		return InitialRTT
	}
	return r.smoothed
}

// Variation returns the mean deviation, half of InitialRTT without a sample.
func (r *RTT) Variation() time.Duration {
	if !r.known {
		return InitialRTT / 2
	}
	return r.variation
}

// PTO returns how long to wait for an ACK before a probe is sent, after count
// probes in a row were in vain.
func (r *RTT) PTO(count int) time.Duration {
	return min(min(r.patience(), maxPTO)<<min(max(0, count), 20), maxPTO)
}

// patience is how long an ACK may take to come.
func (r *RTT) patience() time.Duration {
	return r.Smoothed() + max(4*r.Variation(), granularity) + MaxDelay
}

// lossDelay is how long a packet may be overtaken before it is lost.
func (r *RTT) lossDelay() time.Duration {
	longest := max(r.Smoothed(), r.latest)
	return max(longest+longest/8, granularity)
}
