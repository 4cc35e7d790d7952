package limit

import (
	"sync"
	"time"
)

// A Bucket lets Rate events a second through, and Burst at once. Its fields are set
// before it is used; it is safe for concurrent use.
type Bucket struct {
	Rate, Burst float64

	mu    sync.Mutex
	spent float64 // 0 is a full bucket
	at    time.Time
}

// Allow reports whether one more event may pass at now, and counts it.
func (b *Bucket) Allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return spend(&b.spent, &b.at, now, b.Rate, b.Burst)
}

func spend(spent *float64, at *time.Time, now time.Time, rate, burst float64) bool {
	if elapsed := now.Sub(*at).Seconds(); elapsed > 0 {
		*spent = max(0, *spent-elapsed*rate)
		*at = now
	}
	if *spent+1 > burst {
		return false
	}
	*spent++
	return true
}

// Buckets are a Bucket for each key, at most Max of them: when there are more, those
// that are full again are forgotten, and if none is, new keys are refused.
type Buckets[K comparable] struct {
	Rate, Burst float64
	Max         int

	mu   sync.Mutex
	keys map[K]*level
}

type level struct {
	spent float64
	at    time.Time
}

// Allow reports whether one more event of k may pass at now, and counts it.
func (b *Buckets[K]) Allow(now time.Time, k K) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.keys[k]
	if l == nil {
		if l = b.insert(now, k); l == nil {
			return false
		}
	}
	return spend(&l.spent, &l.at, now, b.Rate, b.Burst)
}

func (b *Buckets[K]) insert(now time.Time, k K) *level {
	if b.keys == nil {
		b.keys = make(map[K]*level)
	}
	if len(b.keys) >= b.Max {
		for other, l := range b.keys {
			if l.spent <= now.Sub(l.at).Seconds()*b.Rate {
				delete(b.keys, other)
			}
		}
	}
	if len(b.keys) >= b.Max {
		return nil
	}
	l := &level{at: now}
	b.keys[k] = l
	return l
}
