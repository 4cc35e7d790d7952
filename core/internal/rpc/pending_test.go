package rpc

import (
	"regexp"
	"sync"
	"testing"

	"github.com/peerlink/peerlink/core/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestIDsAreUUIDs(t *testing.T) {
	p := NewPending[int]()
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[[IDLen]byte]bool{}
	for range 1000 {
		c, err := p.Add()
		if err != nil {
			t.Fatal(err)
		}
		id := c.ID
		if !shape.Match(id[:]) {
			t.Fatalf("%s is no version 4 UUID", id)
		}
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
	}
}

func TestFirstAnswerCounts(t *testing.T) {
	p := NewPending[int]()
	c, err := p.Add()
	if err != nil {
		t.Fatal(err)
	}
	if !p.Answer(c.ID[:], 1) {
		t.Error("nobody was waiting")
	}
	if p.Answer(c.ID[:], 2) {
		t.Error("a second answer was taken")
	}
	if got := <-c.Done; got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestStrangeIDsAreNobodys(t *testing.T) {
	p := NewPending[int]()
	for _, id := range []string{"", "x", `"`, string(make([]byte, IDLen)), string(make([]byte, 2000))} {
		if p.Answer([]byte(id), 1) {
			t.Errorf("%q was taken", id)
		}
	}
}

func TestRemovedCallsLeaveNothing(t *testing.T) {
	p := NewPending[int]()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			c, err := p.Add()
			if err != nil {
				t.Error(err)
				return
			}
			p.Remove(c)
		})
	}
	wg.Wait()
	if p.Len() != 0 {
		t.Errorf("%d left", p.Len())
	}
}

func TestPendingIsBounded(t *testing.T) {
	p := NewPending[int]()
	for range MaxPending {
		if _, err := p.Add(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Add(); err != ErrTooMany {
		t.Errorf("err = %v", err)
	}
}
