package link

import (
	"slices"
	"testing"
	"time"
)

// run ticks l every 100 ms from start for d and returns what was due, and when.
func run(l *Liveness, start time.Time, d time.Duration) (actions []Action, at []time.Duration) {
	for t := time.Duration(0); t <= d; t += 100 * time.Millisecond {
		if a := l.Tick(start.Add(t)); a != Wait {
			actions, at = append(actions, a), append(at, t)
		}
	}
	return actions, at
}

func TestSilentPeerIsDeadWithinSixSeconds(t *testing.T) {
	var l Liveness
	start := time.Unix(1000, 0)
	l.Heard(start)
	actions, at := run(&l, start, 6*time.Second)
	if want := []Action{Ping, Suspect, Suspect, Dead, Dead}; !slices.Equal(actions, want) {
		t.Fatalf("actions %v at %v, want %v", actions, at, want)
	}
	if at[3] > 6*time.Second {
		t.Errorf("dead after %v", at[3])
	}
}

func TestAnAnswerStartsAnew(t *testing.T) {
	var l Liveness
	start := time.Unix(1000, 0)
	l.Heard(start)
	run(&l, start, 4*time.Second) // two misses
	l.Heard(start.Add(4 * time.Second))
	if actions, _ := run(&l, start.Add(4*time.Second), 1900*time.Millisecond); len(actions) != 0 {
		t.Errorf("due right after an answer: %v", actions)
	}
}

func TestPingsToTheDeadBackOff(t *testing.T) {
	var l Liveness
	start := time.Unix(1000, 0)
	l.Heard(start)
	actions, _ := run(&l, start, 10*time.Minute)
	if n := len(actions); n < 30 || n > 60 {
		t.Errorf("%d pings in 10 minutes of silence, want one per 15 s at the end", n)
	}
}

func TestLegacyPeersAreAskedSeldom(t *testing.T) {
	l := Liveness{Idle: IdleLegacy}
	start := time.Unix(1000, 0)
	l.Heard(start)
	if actions, at := run(&l, start, 10*time.Second); !slices.Equal(actions, []Action{Ping}) {
		t.Errorf("%v at %v", actions, at)
	}
}
