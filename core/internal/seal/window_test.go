package seal

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A model remembers every number.
type model struct {
	seen map[uint64]bool
	top  uint64
}

func (m *model) fresh(n uint64) bool {
	return len(m.seen) == 0 || n > m.top || m.top-n < 2048 && !m.seen[n]
}

func (m *model) accept(n uint64) bool {
	if !m.fresh(n) {
		return false
	}
	m.seen[n] = true
	m.top = max(m.top, n)
	return true
}

// agrees puts n to both and compares.
func agrees(t testing.TB, w *Window, m *model, n uint64) {
	t.Helper()
	before := *w
	if got := w.Fresh(n); got != m.fresh(n) || *w != before {
		t.Fatalf("Fresh(%d) with top %d: %v", n, m.top, got)
	}
	if got, want := w.Accept(n), m.accept(n); got != want {
		t.Fatalf("Accept(%d) with top %d: %v", n, m.top, got)
	} else if !got && *w != before {
		t.Fatalf("Accept(%d) refused, but changed something", n)
	}
	if w.Fresh(n) {
		t.Fatalf("%d is fresh after Accept", n)
	}
}

func TestWindow(t *testing.T) {
	var w Window
	for _, c := range []struct {
		n    uint64
		want bool
	}{
		{10, true}, {10, false}, {0, true}, {0, false}, {2047, true}, {1, true},
		{2057, true}, {10, false}, {9, false}, {11, true}, // 2047 below the highest is in, 2048 is not
		{1 << 40, true}, {1<<40 - 2048, false}, {1<<40 - 2047, true}, {2057, false},
		{math.MaxUint64, true}, {math.MaxUint64, false}, {math.MaxUint64 - 2047, true}, {math.MaxUint64 - 2048, false}, {0, false},
	} {
		if w.Fresh(c.n) != c.want || w.Accept(c.n) != c.want {
			t.Errorf("%d: not %v", c.n, c.want)
		}
	}
}

func TestWindowAgainstModel(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, base := range []uint64{0, 1, 63, 64, 2047, 1 << 32, math.MaxUint64 - 40000, math.MaxUint64 - 3000, math.MaxUint64 - 10} {
		var w Window
		m := &model{seen: make(map[uint64]bool)}
		for at := base; len(m.seen) < 3000; {
			n := at
			switch random.IntN(8) {
			case 0, 1, 2:
				n -= min(n, random.Uint64N(2200))
			case 3:
				n -= min(n, 2040+random.Uint64N(16))
			case 4:
				n += min(math.MaxUint64-n, random.Uint64N(70))
			case 5:
				n += min(math.MaxUint64-n, random.Uint64N(20)*random.Uint64N(300))
			default:
				n += min(math.MaxUint64-n, 1)
			}
			agrees(t, &w, m, n)
			if at = max(at, n); at == math.MaxUint64 {
				break
			}
		}
	}
}

// Whatever is replayed in whatever order, nothing is accepted twice.
func TestReplays(t *testing.T) {
	const packets, replays = 5000, 100_000
	random := rand.New(rand.NewPCG(5, 6))
	var w Window
	m := &model{seen: make(map[uint64]bool)}
	accepted := make(map[uint64]int)
	for i := range replays {
		// Any number up to one that rises, so that all of the window is replayed.
		n := random.Uint64N(uint64(i)*packets/replays + 1)
		want := m.accept(n)
		if w.Accept(n) != want {
			t.Fatalf("packet %d, replay %d: not %v", n, i, want)
		}
		if want {
			accepted[n]++
		}
	}
	for n, times := range accepted {
		if times != 1 {
			t.Errorf("%d accepted %d times", n, times)
		}
	}
	if len(accepted) < packets*9/10 {
		t.Errorf("only %d accepted", len(accepted))
	}
}

func BenchmarkWindow(b *testing.B) {
	var w Window
	var n uint64
	for b.Loop() {
		w.Accept(n)
		n++
	}
}
