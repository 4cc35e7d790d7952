//go:build linux

package lab

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"time"
)

// link is the way from one port to another.
type link struct {
	to   *port
	line *delayLine

	mu     sync.Mutex
	faults Faults
	coins  *rand.Rand
	free   time.Time // when all that was sent is through, by Rate
	count  Counters
}

// set begins anew with other faults. What is under way arrives as it would have.
func (l *link) set(f Faults, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
	l.coins = rand.New(rand.NewPCG(f.Seed, number))
	l.free = time.Time{}
}

func (l *link) counters() Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// send takes a frame from the sender. The frame is the caller's again afterwards.
func (l *link) send(frame []byte, p packet, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count.Frames++
	switch {
	case l.faults.Blocked:
		l.count.Blocked++
		return
	case p.ip == 0:
		l.write(frame)
		return
	case l.vanishes(p):
		return
	}
	if p.udp > 0 && p.end > p.udp+udpHeader && l.toss(l.faults.Corrupt) {
		l.count.Corrupted++
		frame = bytes.Clone(frame)
		p.flip(frame, l.coins.IntN(8*(p.end-p.udp-udpHeader)))
	}
	l.post(frame, now)
	if l.toss(l.faults.Duplicate) {
		l.count.Duplicated++
		l.post(frame, now)
	}
}

// vanishes counts why. mu is held.
func (l *link) vanishes(p packet) bool {
	switch {
	case l.faults.NoMulticast && p.multicast:
		l.count.Filtered++
	case l.faults.MTU > 0 && p.ip > l.faults.MTU:
		l.count.TooLong++
	case l.toss(l.faults.Loss):
		l.count.Lost++
	default:
		return false
	}
	return true
}

// post has one copy arrive when it should. mu is held.
func (l *link) post(frame []byte, now time.Time) {
	due, ok := l.due(len(frame), now)
	switch {
	case !ok:
		l.count.Full++
	case !due.After(now):
		l.write(frame)
	case !l.line.post(l, frame, due):
		l.count.Full++
	}
}

// due says when a frame of n bytes arrives, if the queue of Rate takes it. mu is held.
func (l *link) due(n int, now time.Time) (time.Time, bool) {
	at := now
	if l.faults.Rate > 0 {
		if l.free.After(at) {
			at = l.free
		}
		if at.Sub(now) > maxBacklog {
			return at, false
		}
		at = at.Add(time.Duration(float64(n) * 8 / float64(l.faults.Rate) * float64(time.Second)))
		l.free = at
	}
	at = at.Add(l.faults.Delay)
	if l.faults.Jitter > 0 {
		at = at.Add(time.Duration(l.coins.Int64N(int64(l.faults.Jitter))))
	}
	if l.toss(l.faults.Reorder) {
		l.count.Reordered++
		at = at.Add(lateness)
	}
	return at, true
}

func (l *link) toss(likelihood float64) bool {
	return likelihood > 0 && l.coins.Float64() < likelihood
}

// deliver hands a frame to the receiver, for the delay line.
func (l *link) deliver(frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(frame)
}

// write never blocks: the kernel takes a frame or refuses it. mu is held.
func (l *link) write(frame []byte) {
	if _, err := l.to.tap.Write(frame); err != nil {
		l.count.Refused++
		return
	}
	l.count.Delivered++
}
