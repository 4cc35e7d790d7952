package limit

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	now := time.Unix(1000, 0)
	b := Bucket{Rate: 10, Burst: 3}
	pass := func(want bool) {
		t.Helper()
		if got := b.Allow(now); got != want {
			t.Errorf("at %v: %v", now.Sub(time.Unix(1000, 0)), got)
		}
	}
	for _, want := range []bool{true, true, true, false} {
		pass(want)
	}
	now = now.Add(100 * time.Millisecond)
	pass(true)
	pass(false)
	now = now.Add(-time.Hour) // a clock that goes back gives nothing, and breaks nothing
	pass(false)
	now = now.Add(2 * time.Hour)
	for _, want := range []bool{true, true, true, false} {
		pass(want)
	}
}

func TestBucketsAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	b := Buckets[int]{Rate: 1, Burst: 1, Max: 3}
	for k := range 3 {
		if !b.Allow(now, k) || b.Allow(now, k) {
			t.Errorf("key %d", k)
		}
	}
	if b.Allow(now, 3) {
		t.Error("a key beyond Max while all others are in use")
	}
	now = now.Add(time.Second)
	if !b.Allow(now, 3) {
		t.Error("the others are full again, so there is room")
	}
	if len(b.keys) > 3 {
		t.Errorf("%d keys", len(b.keys))
	}
}
