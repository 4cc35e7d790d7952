package limit

import (
	"sync"
	"testing"
	"time"
)

func TestLineLetsOneThroughAndCountsTheRest(t *testing.T) {
	var l Line
	start := time.Unix(100, 0)
	if n, ok := l.Allow(start); !ok || n != 0 {
		t.Fatalf("first: %d, %v", n, ok)
	}
	for i := range 7 {
		if _, ok := l.Allow(start.Add(time.Duration(i) * 100 * time.Millisecond)); ok {
			t.Fatalf("event %d within the second passed", i)
		}
	}
	if n, ok := l.Allow(start.Add(time.Second)); !ok || n != 7 {
		t.Fatalf("after a second: %d, %v; want 7, true", n, ok)
	}
	if n, ok := l.Allow(start.Add(3 * time.Second)); !ok || n != 0 {
		t.Fatalf("after a pause: %d, %v; want 0, true", n, ok)
	}
}

func TestGateBoundsTotalAndKey(t *testing.T) {
	g := NewGate[string](3, 2)
	first, second := g.Enter("a"), g.Enter("a")
	if !first || !second {
		t.Fatal("no room for two of a")
	}
	if g.Enter("a") {
		t.Error("a third of a entered")
	}
	if !g.Enter("b") {
		t.Error("a kept b out")
	}
	if g.Enter("c") {
		t.Error("a fourth entered")
	}
	g.Leave("a")
	if !g.Enter("c") {
		t.Error("no room after one left")
	}
}

func TestGateForgetsKeys(t *testing.T) {
	g := NewGate[int](10, 10)
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			if g.Enter(i) {
				g.Leave(i)
			}
		})
	}
	wg.Wait()
	if len(g.keys) != 0 || g.Running() != 0 {
		t.Errorf("%d keys, %d running after all have left", len(g.keys), g.Running())
	}
}

func TestShutGateIsEmptyWhenTheLastHasLeft(t *testing.T) {
	g := NewGate[string](3, 3)
	g.Enter("a")
	empty := g.Shut()
	if g.Enter("b") {
		t.Error("entered a shut gate")
	}
	select {
	case <-empty:
		t.Fatal("empty with one inside")
	default:
	}
	g.Leave("a")
	<-empty
	<-g.Shut() // twice is fine
}
