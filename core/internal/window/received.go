package window

import "time"

// MaxDelay is how long the acknowledgement of a packet may wait for company.
const MaxDelay = time.Millisecond

// atOnce is how many unacknowledged packets do not wait any longer.
const atOnce = 2

// Received knows which packets of the peer came, and when an ACK is due. The zero
// value has seen none.
type Received struct {
	ranges  [MaxRanges]Range // newest first, never touching
	count   int
	arrived time.Time // of the highest

	owed int       // eliciting packets that no ACK of ours was sent for
	due  time.Time // of that ACK
}

// Add notes packet n, which has not come before. It elicits an ACK or does not.
func (r *Received) Add(now time.Time, n uint64, eliciting bool) {
	inOrder := n == r.expected()
	if !r.insert(n) {
		return
	}
	if r.ranges[0].Last == n {
		r.arrived = now
	}
	if !eliciting {
		return
	}
	r.owed++
	switch {
	case !inOrder || r.owed >= atOnce:
		r.hasten(now)
	case r.owed == 1:
		r.due = now.Add(MaxDelay)
	}
}

// expected is the number that comes next if nothing is lost or overtaken.
func (r *Received) expected() uint64 {
	if r.count == 0 {
		return 0
	}
	return r.ranges[0].Last + 1
}

func (r *Received) hasten(now time.Time) {
	if r.owed == 1 || now.Before(r.due) {
		r.due = now
	}
}

// insert adds n to the ranges and says whether it is news. What would be a range
// below MaxRanges others is not kept: the peer takes it for lost and sends it again.
func (r *Received) insert(n uint64) bool {
	i := 0
	for ; i < r.count && n < r.ranges[i].First; i++ {
	}
	if i < r.count && n <= r.ranges[i].Last {
		return false
	}
	above := i > 0 && r.ranges[i-1].First-1 == n    // touches the range above
	below := i < r.count && r.ranges[i].Last == n-1 // and the one below, which n exceeds
	switch {
	case above && below:
		r.ranges[i-1].First = r.ranges[i].First
		r.count = i + copy(r.ranges[i:], r.ranges[i+1:r.count])
	case above:
		r.ranges[i-1].First = n
	case below:
		r.ranges[i].Last = n
	case i < MaxRanges:
		r.count = min(r.count, MaxRanges-1)
		copy(r.ranges[i+1:], r.ranges[i:r.count])
		r.ranges[i] = Range{n, n}
		r.count++
	}
	return true
}

// Due returns when an ACK must go out, if one must. A time that is not in the
// future means at once.
func (r *Received) Due() (at time.Time, ok bool) {
	return r.due, r.owed > 0
}

// Owes reports whether a packet came that asks for an ACK and has none yet.
func (r *Received) Owes() bool { return r.owed > 0 }

// Ack returns what an ACK that goes out now has to say: the ranges, newest first,
// in the memory of dst, and how long ago the highest packet came. There are no
// ranges if nothing was ever received. Nothing is owed afterwards.
func (r *Received) Ack(now time.Time, dst []Range) (ranges []Range, delay time.Duration) {
	ranges = append(dst[:0], r.ranges[:r.count]...)
	r.owed = 0
	if r.count > 0 {
		delay = max(0, now.Sub(r.arrived))
	}
	return ranges, delay
}

// Forget drops all below the given number, because the peer knows what became of
// it. The highest packet is never forgotten.
func (r *Received) Forget(below uint64) {
	for r.count > 1 && r.ranges[r.count-1].Last < below {
		r.count--
	}
	if r.count > 0 {
		last := &r.ranges[r.count-1]
		last.First = max(last.First, min(below, last.Last))
	}
}
