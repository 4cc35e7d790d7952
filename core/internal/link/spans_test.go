package link

import (
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"
)

func TestSpans(t *testing.T) {
	for _, tt := range []struct {
		name   string
		add    []span
		want   string
		prefix uint64
	}{
		{"none", nil, "[]", 0},
		{"empty", []span{{3, 3}}, "[]", 0},
		{"in order", []span{{0, 2}, {2, 5}}, "[{0 5}]", 5},
		{"backwards", []span{{2, 5}, {0, 2}}, "[{0 5}]", 5},
		{"gap", []span{{0, 2}, {4, 6}}, "[{0 2} {4 6}]", 2},
		{"filled", []span{{0, 2}, {4, 6}, {2, 4}}, "[{0 6}]", 6},
		{"overlap", []span{{1, 4}, {3, 8}, {0, 2}}, "[{0 8}]", 8},
		{"inside", []span{{0, 9}, {3, 4}}, "[{0 9}]", 9},
		{"over all", []span{{1, 2}, {4, 5}, {7, 8}, {0, 9}}, "[{0 9}]", 9},
		{"not from 0", []span{{1, 2}}, "[{1 2}]", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s spans
			for _, a := range tt.add {
				s.add(a.from, a.to)
			}
			if got := fmt.Sprint(s); got != tt.want || s.prefix() != tt.prefix {
				t.Errorf("%s, prefix %d; want %s, %d", got, s.prefix(), tt.want, tt.prefix)
			}
		})
	}
}

// Against a set of single numbers.
func TestSpansAreASet(t *testing.T) {
	r := mathrand.New(mathrand.NewPCG(1, 2))
	for range 300 {
		var s spans
		var set [200]bool
		for range 60 {
			from := r.Uint64N(190)
			to := from + r.Uint64N(10)
			fresh := false
			for i := from; i < to; i++ {
				fresh = fresh || !set[i]
				set[i] = true
			}
			if got := s.add(from, to); got != fresh {
				t.Fatalf("add %d to %d: new %v", from, to, got)
			}
			for i := 1; i < len(s); i++ {
				if s[i-1].to >= s[i].from {
					t.Fatalf("they touch: %v", s)
				}
			}
			from = r.Uint64N(190)
			to = from + r.Uint64N(10)
			all := true
			for i := from; i < to; i++ {
				all = all && set[i]
			}
			if s.has(from, to) != all {
				t.Fatalf("%v has %d to %d: %v", s, from, to, !all)
			}
		}
	}
}

func TestOnce(t *testing.T) {
	var o once
	want := func(id uint64, v verdict) {
		t.Helper()
		if got := o.look(id); got != v {
			t.Errorf("call %d: %d, want %d", id, got, v)
		}
	}
	want(1, begin)
	o.note(1)
	want(1, repeat)
	for id := uint64(3); id <= 2*maxGaps; id += 2 { // every other is missing
		o.note(id)
	}
	want(2, begin)
	o.note(2*maxGaps + 1)
	want(2, stale) // given up, since there would be too many
	want(1, stale)
	want(4, begin)
	want(2*maxGaps+1, repeat)
	if len(o.begun) > maxGaps {
		t.Errorf("%d ranges", len(o.begun))
	}
}

// Whatever comes in whatever order, nothing is begun twice.
func TestOnceIsOnce(t *testing.T) {
	r := mathrand.New(mathrand.NewPCG(1, 2))
	var o once
	ran := map[uint64]bool{}
	for i := range uint64(100_000) {
		id := 1 + r.Uint64N(3*i+10)
		if o.look(id) != begin {
			continue
		}
		if ran[id] {
			t.Fatalf("call %d for the second time", id)
		}
		ran[id] = true
		o.note(id)
	}
	if len(ran) < 1000 {
		t.Errorf("%d were begun", len(ran))
	}
}

func TestPathsAreBounded(t *testing.T) {
	s := newSim(t, faults{})
	p := &s.a.paths
	for i := range 100 {
		p.arrived(s.now, addrPort(i), 100)
		p.answer(addrPort(i), [8]byte{byte(i)})
	}
	if len(p.queue) > 2*maxPaths || len(p.tried) > maxPaths {
		t.Errorf("%d frames wait, %d addresses are tried", len(p.queue), len(p.tried))
	}
	p.arrived(s.now, evil, challengeSize/3-1)
	for f, ok := p.next(); ok; f, ok = p.next() {
		if f.to == evil {
			t.Error("more than three times what came goes there")
		}
	}
	first := p.tried[0]
	if isOK(p.answered(s.now, evil, first.data)) || isOK(p.answered(s.now, first.addr, [8]byte{})) || isOK(p.answered(s.now.Add(challengeLife), first.addr, first.data)) {
		t.Error("a wrong answer counts")
	}
	if !isOK(p.answered(s.now, first.addr, first.data)) || isOK(p.answered(s.now, first.addr, first.data)) {
		t.Error("the right answer counts once")
	}
}

func isOK(_ time.Time, ok bool) bool { return ok }
