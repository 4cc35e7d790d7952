// Package link is one peer: its session, which puts messages into packets and takes
// them out, and whether it answers. It has no sockets, locks or clock: time comes in as
// an argument.
package link

import "time"

// Silence that makes us ask. A node of our version is asked often, so that a
// crash shows within 6 s; a 1.x node seldom, because it runs each ping on one of
// its 16 threads and only mDNS decides about it.
const (
	IdleNative = 2 * time.Second
	IdleLegacy = 10 * time.Second
	retry      = time.Second
	maxMisses  = 3
	maxBackoff = 15 * time.Second
)

// An Action is what the owner of a Liveness has to do.
type Action uint8

const (
	Wait    Action = iota
	Ping           // send a ping to the address in use
	Suspect        // it missed one: ping all its addresses, and have discovery ask
	Dead           // it missed them all; go on pinging as with Suspect, it may come back
)

// Liveness decides when to ping a peer and when to give it up:
//
//	heard ── idle ──> Ping ── 1 s ──> Suspect ── 1 s ──> Suspect ── 1 s ──> Dead
//	  ^                                                                       |
//	  └───────────────── any datagram from the peer <── backoff to 15 s ──────┘
//
// The zero value is a peer heard at time zero. It is not safe for concurrent use.
type Liveness struct {
	Idle time.Duration // 0 is IdleNative

	heard, next time.Time
	misses      int
}

// Heard notes that something came from the peer.
func (l *Liveness) Heard(now time.Time) {
	l.heard, l.misses = now, 0
	l.next = now.Add(l.idle())
}

func (l *Liveness) idle() time.Duration {
	if l.Idle == 0 {
		return IdleNative
	}
	return l.Idle
}

// Tick returns what is due at now.
func (l *Liveness) Tick(now time.Time) Action {
	if l.next.IsZero() {
		l.next = l.heard.Add(l.idle())
	}
	if now.Before(l.next) {
		return Wait
	}
	misses := l.misses
	l.misses++
	l.next = now.Add(min(retry<<max(0, min(misses-maxMisses, 4)), maxBackoff))
	switch {
	case misses == 0:
		return Ping
	case misses < maxMisses:
		return Suspect
	default:
		return Dead
	}
}
