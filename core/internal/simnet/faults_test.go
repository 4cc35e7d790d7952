package simnet

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

// numbered sends count datagrams that hold their number, with a pause behind each.
func numbered(t testing.TB, n *Network, count int, pause time.Duration) []arrival {
	t.Helper()
	a, b := pair(t, n)
	for i := range count {
		send(t, a, addrB, binary.BigEndian.AppendUint32(nil, uint32(i))...)
		time.Sleep(pause)
	}
	return b.all()
}

func number(a arrival) int { return int(binary.BigEndian.Uint32([]byte(a.b))) }

// about checks that a share is that of a probability, within what chance allows.
func about(t *testing.T, what string, got uint64, of int, p float64) {
	t.Helper()
	if share := float64(got) / float64(of); share < p-0.03 || share > p+0.03 {
		t.Errorf("%s: %d of %d, want a share of %v", what, got, of, p)
	}
}

func TestLoss(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		n.SetFaults(Faults{Loss: 0.3})
		got := numbered(t, n, 10000, 0)
		s := n.Stats()
		about(t, "lost", s.Lost, 10000, 0.3)
		if len(got) != 10000-int(s.Lost) {
			t.Errorf("%d arrived: %+v", len(got), s)
		}
		inOrder(t, got)
		balance(t, s)
	})
}

func TestDuplicate(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		n.SetFaults(Faults{Duplicate: 0.2, Delay: ms})
		got := numbered(t, n, 10000, 0)
		s := n.Stats()
		about(t, "duplicated", s.Duplicated, 10000, 0.2)
		if len(got) != 10000+int(s.Duplicated) {
			t.Errorf("%d arrived: %+v", len(got), s)
		}
		for i := 1; i < len(got); i++ {
			if d := number(got[i]) - number(got[i-1]); d != 0 && d != 1 {
				t.Fatalf("%d behind %d", number(got[i]), number(got[i-1]))
			}
		}
		balance(t, s)
	})
}

func TestReorder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults Faults
		late   time.Duration
	}{
		{"default", Faults{Reorder: 0.1, Delay: 5 * ms}, 15 * ms},
		{"given", Faults{Reorder: 0.1, Delay: 5 * ms, ReorderDelay: 8 * ms}, 8 * ms},
		{"ahead of the others", Faults{Reorder: 0.1, Delay: 5 * ms, ReorderDelay: ms}, ms},
		{"without a delay", Faults{Reorder: 0.1}, 10 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *Network) {
				n.SetFaults(tt.faults)
				got := numbered(t, n, 10000, ms)
				late, overtaken := 0, 0
				for i, a := range got {
					switch took := a.after - time.Duration(number(a))*ms; took {
					case tt.late:
						late++
					case tt.faults.Delay:
					default:
						t.Fatalf("number %d took %v", number(a), took)
					}
					if i > 0 && number(a) < number(got[i-1]) {
						overtaken++
					}
				}
				s := n.Stats()
				about(t, "reordered", s.Reordered, 10000, 0.1)
				if late != int(s.Reordered) || len(got) != 10000 || overtaken == 0 {
					t.Errorf("%d arrived, %d of them late, %d overtaken: %+v", len(got), late, overtaken, s)
				}
			})
		})
	}
}

func TestCorrupt(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		n.SetFaults(Faults{Corrupt: 0.25, Duplicate: 0.5})
		a, b := pair(t, n)
		clean := bytes.Repeat([]byte{0x55}, 100)
		for range 10000 {
			send(t, a, addrB, clean...)
		}
		if !bytes.Equal(clean, bytes.Repeat([]byte{0x55}, 100)) {
			t.Error("the writer's bytes were changed")
		}
		var flips [5]uint64
		for _, a := range b.all() {
			flipped := 0
			for i := range a.b {
				flipped += bits.OnesCount8(a.b[i] ^ 0x55)
			}
			flips[min(flipped, 4)]++
		}
		s := n.Stats()
		about(t, "corrupted", s.Corrupted, 10000, 0.25)
		if flips[1]+flips[2]+flips[3] != s.Corrupted || flips[4] != 0 {
			t.Errorf("bits flipped: %v; %+v", flips, s)
		}
		for k := 1; k <= 3; k++ {
			about(t, "flips", flips[k], int(s.Corrupted), 1./3)
		}
	})
}

func TestFlip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for size := range 70 {
		for range 200 {
			b := make([]byte, size)
			did := flip(b, r.Uint64())
			count := 0
			for _, x := range b {
				count += bits.OnesCount8(x)
			}
			if did != (size > 0) || did && (count < 1 || count > 3) {
				t.Fatalf("%d of %d bits flipped, %v", count, size*8, did)
			}
		}
	}
	seen := make([]byte, maxPayload) // each place can be hit
	for i := range uint64(maxPayload) {
		flip(seen, i*8)
	}
	if seen[maxPayload-1] == 0 {
		t.Error("the last byte is never hit")
	}
}

func TestDelayAndJitter(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		n.SetFaults(Faults{Delay: 20 * ms, Jitter: 10 * ms})
		got := numbered(t, n, 1000, 11*ms) // none waits for the one before
		low, high := time.Hour, time.Duration(0)
		for i, a := range got {
			took := a.after - time.Duration(i)*11*ms
			low, high = min(low, took), max(high, took)
		}
		if len(got) != 1000 || low < 20*ms || low > 21*ms || high > 30*ms || high < 29*ms {
			t.Errorf("%d took %v to %v", len(got), low, high)
		}
	})
}

func TestMTU(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		n.SetFaults(Faults{MTU: 548})
		a, b := pair(t, n)
		send(t, a, addrB, make([]byte, 548)...)
		send(t, a, addrB, make([]byte, 549)...)
		if got := b.all(); len(got) != 1 || len(got[0].b) != 548 {
			t.Errorf("%d arrived", len(got))
		}
		if s := n.Stats(); s.TooLarge != 1 {
			t.Errorf("%+v", s)
		}
		balance(t, n.Stats())
	})
}

func TestRate(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		n.SetFaults(Faults{Rate: 1000, Queue: 300, Delay: time.Second})
		a, b := pair(t, n)
		for i := range byte(5) { // the last two find 300 bytes waiting
			send(t, a, addrB, append(make([]byte, 99), i)...)
		}
		time.Sleep(150 * ms)
		send(t, a, addrB, append(make([]byte, 99), 5)...) // 150 bytes wait
		send(t, a, addrB, append(make([]byte, 99), 6)...) // 250
		send(t, a, addrB)                                 // fits in
		time.Sleep(10 * time.Second)
		send(t, a, addrB, make([]byte, 1000)...) // never fits, but nothing waits
		want := []time.Duration{1100 * ms, 1200 * ms, 1300 * ms, 1400 * ms, 1400 * ms, 12150 * ms}
		var got []time.Duration
		for _, a := range b.all() {
			got = append(got, a.after)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("arrived after %v, want %v", got, want)
		}
		if s := n.Stats(); s.QueueFull != 3 {
			t.Errorf("%+v", s)
		}
		balance(t, n.Stats())
	})
}

func TestDefaultQueue(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		n.SetFaults(Faults{Rate: 1 << 20})
		a, b := pair(t, n)
		for range 300 {
			send(t, a, addrB, make([]byte, 1024)...)
		}
		if got := b.all(); len(got) != 256 {
			t.Errorf("%d arrived, want 256", len(got))
		}
	})
}

func TestSpikes(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		n.SetFaults(Faults{Delay: 10 * ms, SpikeEvery: time.Second, SpikeFor: 300 * ms})
		for i, a := range numbered(t, n, 300, 10*ms) {
			want := time.Duration(i+1) * 10 * ms
			if s := want % time.Second; want >= time.Second && s < 300*ms {
				want += 300*ms - s
			}
			if number(a) != i || a.after != want {
				t.Fatalf("number %d arrived in place %d after %v, want %v", number(a), i, a.after, want)
			}
		}
	})
}

func inOrder(t *testing.T, got []arrival) {
	t.Helper()
	for i := 1; i < len(got); i++ {
		if number(got[i]) <= number(got[i-1]) {
			t.Fatalf("%d behind %d", number(got[i]), number(got[i-1]))
		}
	}
}

// Nothing but Reorder reorders, whatever the faults change to on the way.
func TestOrder(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			n := New(seed)
			defer n.Close()
			r := rand.New(rand.NewPCG(seed, 0))
			a, b := pair(t, n)
			for i := range 2000 {
				if r.IntN(50) == 0 {
					n.SetFaults(anyFaults(r))
				}
				send(t, a, addrB, binary.BigEndian.AppendUint32(nil, uint32(i))...)
				if r.IntN(4) == 0 {
					time.Sleep(time.Duration(r.IntN(3)) * ms)
				}
			}
			inOrder(t, b.all())
			balance(t, n.Stats())
			if s := n.Stats(); s.Delivered == 0 || s.OnTheWay != 0 {
				t.Errorf("seed %d: %+v", seed, s)
			}
		})
	}
}

// anyFaults returns faults that neither reorder nor duplicate.
func anyFaults(r *rand.Rand) Faults {
	var f Faults
	for _, set := range []func(){
		func() { f.Loss = 0.2 },
		func() { f.Delay = time.Duration(r.IntN(40)) * ms },
		func() { f.Jitter = time.Duration(r.IntN(20)) * ms },
		func() { f.Rate = 1000 + r.IntN(100000) },
		func() { f.SpikeEvery, f.SpikeFor = 100*ms, time.Duration(r.IntN(90))*ms },
	} {
		if r.IntN(2) == 0 {
			set()
		}
	}
	return f
}

// story runs some traffic with all faults and returns what became of it.
func story(t *testing.T, seed uint64) (got []arrival, s Stats) {
	synctest.Test(t, func(t *testing.T) {
		n := New(seed)
		defer n.Close()
		n.SetFaults(Faults{
			Loss: 0.2, Duplicate: 0.1, Reorder: 0.1, Corrupt: 0.1, Delay: 10 * ms, Jitter: 5 * ms,
			Rate: 30000, Queue: 500, SpikeEvery: time.Second, SpikeFor: 100 * ms,
		})
		got = numbered(t, n, 2000, ms/10)
		s = n.Stats()
		balance(t, s)
	})
	return got, s
}

func TestDeterminism(t *testing.T) {
	one, stats := story(t, 1)
	again, statsAgain := story(t, 1)
	if !reflect.DeepEqual(one, again) || stats != statsAgain {
		t.Errorf("the same seed, another story:\n%+v\n%+v", stats, statsAgain)
	}
	if other, _ := story(t, 2); reflect.DeepEqual(one, other) {
		t.Error("another seed, the same story")
	}
	if stats.QueueFull == 0 || stats.Corrupted == 0 || stats.Reordered == 0 {
		t.Errorf("a dull story: %+v", stats)
	}
}

// The fate of a datagram depends neither on those of other links, nor on its size,
// nor on faults that did not strike.
func TestFatesAreIndependent(t *testing.T) {
	fates := func(prepare func(n *Network)) []string {
		n := New(7)
		defer n.Close()
		a, b, c := listen(t, n.Host(addrA)), listen(t, n.Host(addrB)), listen(t, n.Host(addrC))
		n.SetFaults(Faults{Loss: 0.5})
		prepare(n)
		for i := range byte(100) {
			send(t, a, addrB, i)
			send(t, c, addrA, i)
		}
		var got []string
		s := b.(*socket)
		n.mu.Lock()
		defer n.mu.Unlock()
		for s.first != nil {
			if p := s.pop(); p.from.Addr() == addrA {
				got = append(got, string(p.b))
			}
		}
		return got
	}
	plain := fates(func(*Network) {})
	if len(plain) < 30 || len(plain) > 70 {
		t.Errorf("%d of 100 arrived", len(plain))
	}
	for name, prepare := range map[string]func(n *Network){
		"others before": func(n *Network) { n.Inject(at(addrC), at(addrB), []byte("x")) },
		"other faults":  func(n *Network) { n.SetLink(addrA, addrB, Faults{Loss: 0.5, Duplicate: 1e-9, MTU: 2000}) },
	} {
		if got := fates(prepare); !reflect.DeepEqual(got, plain) {
			t.Errorf("%s: %q, want %q", name, got, plain)
		}
	}
}

func TestLinksDiffer(t *testing.T) {
	n := New(1)
	defer n.Close()
	seen := map[uint64]bool{}
	for _, d := range []direction{
		{addrA, addrB}, {addrB, addrA}, {addrA, addrC}, {addrC, addrA},
		{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("1.0.0.2")}, {netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")},
	} {
		x := n.link(d.from, d.to).random.Uint64()
		if seen[x] {
			t.Errorf("%v draws what another link draws", d)
		}
		seen[x] = true
	}
}
