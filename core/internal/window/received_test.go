package window

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestReceivedRanges(t *testing.T) {
	for _, tt := range []struct {
		name string
		add  []uint64
		want []Range
	}{
		{"nothing", nil, nil},
		{"in order", []uint64{0, 1, 2}, []Range{{0, 2}}},
		{"a gap", []uint64{0, 1, 4}, []Range{{4, 4}, {0, 1}}},
		{"a gap closes", []uint64{0, 2, 1}, []Range{{0, 2}}},
		{"upwards to a range", []uint64{0, 3, 1}, []Range{{3, 3}, {0, 1}}},
		{"downwards to a range", []uint64{0, 3, 2}, []Range{{2, 3}, {0, 0}}},
		{"between", []uint64{0, 6, 3}, []Range{{6, 6}, {3, 3}, {0, 0}}},
		{"lowest", []uint64{5, 3}, []Range{{5, 5}, {3, 3}}},
		{"touches the lowest", []uint64{5, 4}, []Range{{4, 5}}},
		{"twice", []uint64{5, 5, 3, 3, 4, 4}, []Range{{3, 5}}},
		{"backwards", []uint64{3, 2, 1, 0}, []Range{{0, 3}}},
		{"the ends of the numbers", []uint64{math.MaxUint64, 0, math.MaxUint64 - 1, 1}, []Range{{math.MaxUint64 - 1, math.MaxUint64}, {0, 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Received
			for _, n := range tt.add {
				r.Add(start, n, true)
			}
			if got, _ := r.Ack(start, nil); !slices.Equal(got, tt.want) {
				t.Errorf("ranges %v, want %v", got, tt.want)
			}
		})
	}
}

func TestReceivedDue(t *testing.T) {
	type packet struct {
		at        time.Duration
		number    uint64
		eliciting bool
	}
	for _, tt := range []struct {
		name string
		add  []packet
		ok   bool
		want time.Duration
	}{
		{"nothing", nil, false, 0},
		{"one waits", []packet{{0, 0, true}}, true, MaxDelay},
		{"two do not", []packet{{0, 0, true}, {ms / 2, 1, true}}, true, ms / 2},
		{"the third does not put it off", []packet{{0, 0, true}, {ms / 4, 1, true}, {ms / 2, 2, true}}, true, ms / 4},
		{"ACKs ask for nothing", []packet{{0, 0, false}, {0, 1, false}, {0, 5, false}}, false, 0},
		{"an ACK between", []packet{{0, 0, true}, {ms / 2, 1, false}}, true, MaxDelay},
		{"a gap", []packet{{0, 0, false}, {ms, 2, true}}, true, ms},
		{"overtaken", []packet{{0, 0, false}, {0, 2, false}, {ms, 1, true}}, true, ms},
		{"the first is missing", []packet{{ms, 1, true}}, true, ms},
		{"overtaken while one waits", []packet{{0, 0, false}, {0, 2, false}, {0, 3, true}, {ms / 2, 1, true}}, true, ms / 2},
		{"twice the same", []packet{{0, 0, true}, {ms / 2, 0, true}}, true, MaxDelay},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Received
			for _, p := range tt.add {
				r.Add(at(p.at), p.number, p.eliciting)
			}
			due, ok := r.Due()
			if ok != tt.ok || ok && !due.Equal(at(tt.want)) {
				t.Errorf("due %v %t, want %v %t", due.Sub(start), ok, tt.want, tt.ok)
			}
			if r.Owes() != tt.ok {
				t.Errorf("owes %t", r.Owes())
			}
			r.Ack(at(2*ms), nil)
			if _, ok := r.Due(); ok || r.Owes() {
				t.Error("owes after an ACK")
			}
		})
	}
}

func TestAckDelayIsOfTheHighest(t *testing.T) {
	var r Received
	r.Add(at(1*ms), 5, true)
	r.Add(at(3*ms), 4, true)
	if _, delay := r.Ack(at(4*ms), nil); delay != 3*ms {
		t.Errorf("delay %v", delay)
	}
	if _, delay := r.Ack(start, nil); delay != 0 {
		t.Errorf("delay %v of an ACK before the packet", delay)
	}
}

func TestReceivedIsBounded(t *testing.T) {
	var r Received
	for n := range uint64(100) {
		r.Add(start, 2*n, true)
	}
	r.Add(start, 1, true) // too low to be kept
	got, _ := r.Ack(start, nil)
	if len(got) != MaxRanges || got[0] != (Range{198, 198}) || got[MaxRanges-1] != (Range{136, 136}) {
		t.Errorf("%d ranges, %v … %v", len(got), got[0], got[len(got)-1])
	}
}

func TestForget(t *testing.T) {
	for _, tt := range []struct {
		below uint64
		want  []Range
	}{
		{0, []Range{{8, 9}, {4, 6}, {0, 2}}},
		{1, []Range{{8, 9}, {4, 6}, {1, 2}}},
		{3, []Range{{8, 9}, {4, 6}}},
		{5, []Range{{8, 9}, {5, 6}}},
		{7, []Range{{8, 9}}},
		{9, []Range{{9, 9}}},
		{100, []Range{{9, 9}}},
	} {
		var r Received
		for _, n := range []uint64{0, 1, 2, 4, 5, 6, 8, 9} {
			r.Add(start, n, true)
		}
		r.Forget(tt.below)
		if got, _ := r.Ack(start, nil); !slices.Equal(got, tt.want) {
			t.Errorf("without below %d: %v, want %v", tt.below, got, tt.want)
		}
	}
	var empty Received
	empty.Forget(5)
	if got, _ := empty.Ack(start, nil); len(got) > 0 {
		t.Errorf("%v from nothing", got)
	}
}

// TestReceivedAgainstModel compares with a set, of numbers so few that no range is dropped.
func TestReceivedAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var r Received
		seen := map[uint64]bool{}
		for range rng.IntN(100) {
			n := rng.Uint64N(2 * MaxRanges)
			r.Add(start, n, rng.IntN(2) == 0)
			seen[n] = true
		}
		got, _ := r.Ack(start, nil)
		if want := model(seen); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		wellFormed(t, got)
	}
}

// model returns the ranges of a set.
func model(seen map[uint64]bool) (ranges []Range) {
	for n := uint64(200); n > 0; n-- {
		switch {
		case !seen[n-1]:
		case len(ranges) > 0 && ranges[len(ranges)-1].First == n:
			ranges[len(ranges)-1].First = n - 1
		default:
			ranges = append(ranges, Range{n - 1, n - 1})
		}
	}
	return ranges
}

func wellFormed(t *testing.T, ranges []Range) {
	t.Helper()
	for i, r := range ranges {
		if r.First > r.Last || i > 0 && r.Last+1 >= ranges[i-1].First {
			t.Fatalf("ranges %v", ranges)
		}
	}
}
