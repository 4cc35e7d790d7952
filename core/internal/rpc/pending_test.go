package rpc

import (
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestIDsAreUUIDs(t *testing.T) {
	p := NewPending[int]()
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[[IDLen]byte]bool{}
	for range 1000 {
		id := add(t, p, nil).ID
		if !shape.Match(id[:]) {
			t.Fatalf("%s is no version 4 UUID", id)
		}
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
	}
}

func add(t *testing.T, p *Pending[int], done func(int)) *Call[int] {
	t.Helper()
	c := new(Call[int])
	if err := p.Add(c, done); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFirstAnswerCounts(t *testing.T) {
	p := NewPending[int]()
	var got []int
	c := add(t, p, func(r int) { got = append(got, r) })
	if !p.Answer(c.ID[:], 1) {
		t.Error("nobody was waiting")
	}
	if p.Answer(c.ID[:], 2) {
		t.Error("a second answer was taken")
	}
	if p.Remove(c) {
		t.Error("still there after its answer")
	}
	if !slices.Equal(got, []int{1}) {
		t.Errorf("got %v", got)
	}
}

func TestCloseAnswersAll(t *testing.T) {
	p := NewPending[int]()
	sum := 0
	for range 3 {
		add(t, p, func(r int) { sum += r })
	}
	p.Close(7)
	if sum != 21 || p.Len() != 0 {
		t.Errorf("sum %d, %d left", sum, p.Len())
	}
	if err := p.Add(new(Call[int]), nil); err != ErrClosed {
		t.Errorf("after close: %v", err)
	}
	if p.Answer(make([]byte, IDLen), 1) {
		t.Error("answered after close")
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
			if c := add(t, p, nil); !p.Remove(c) || p.Remove(c) {
				t.Error("not there once")
			}
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
		add(t, p, nil)
	}
	if err := p.Add(new(Call[int]), nil); err != ErrTooMany {
		t.Errorf("err = %v", err)
	}
}
