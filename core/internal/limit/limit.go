// Package limit keeps what strangers can cause within bounds.
package limit

import (
	"sync"
	"time"
)

// A Line lets one event through per interval and counts the others, so that a
// flood of bad packets is one log line a second that says how many there were.
// The zero value lets through one a second. It is safe for concurrent use.
type Line struct {
	Every time.Duration // 0 is one second

	mu         sync.Mutex
	next       time.Time
	suppressed int
}

// Allow reports whether the event at now may pass, and how many were held back
// since the last that did.
func (l *Line) Allow(now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.next) {
		l.suppressed++
		return 0, false
	}
	every := l.Every
	if every == 0 {
		every = time.Second
	}
	suppressed, l.suppressed = l.suppressed, 0
	l.next = now.Add(every)
	return suppressed, true
}

// A Gate bounds how much runs at once, in all and for each key.
type Gate[K comparable] struct {
	total, perKey int

	mu      sync.Mutex
	running int
	keys    map[K]int // never more entries than running
	shut    bool
	empty   chan struct{} // closed when shut and the last has left
}

// NewGate returns a gate for total entries, and perKey of them for one key.
func NewGate[K comparable](total, perKey int) *Gate[K] {
	return &Gate[K]{total: total, perKey: perKey, keys: make(map[K]int), empty: make(chan struct{})}
}

// Enter reports whether there is room for one more of k, and takes it.
func (g *Gate[K]) Enter(k K) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut || g.running >= g.total || g.keys[k] >= g.perKey {
		return false
	}
	g.running++
	g.keys[k]++
	return true
}

// Leave gives back what Enter took.
func (g *Gate[K]) Leave(k K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if g.keys[k]--; g.keys[k] == 0 {
		delete(g.keys, k)
	}
	if g.shut && g.running == 0 {
		close(g.empty)
	}
}

// Shut lets nobody in any more. The channel it returns is closed when the last
// has left.
func (g *Gate[K]) Shut() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut && g.running == 0 {
		close(g.empty)
	}
	g.shut = true
	return g.empty
}

// Running returns how many have entered and not left.
func (g *Gate[K]) Running() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running
}
