package window

import (
	"testing"
	"time"
)

// a flow drives a Congestion by hand, packet after packet.
type flow struct {
	Congestion
	next uint64
	rtt  time.Duration
	min  time.Duration
}

// arrive acknowledges n full packets, each with an RTT sample; all of them were
// sent before the first ACK.
func (f *flow) arrive(n int) {
	first := f.next
	f.next += uint64(n)
	for i := range uint64(n) {
		f.Sample(f.rtt, f.min)
		f.Acked(first+i, mtu, f.next, true)
	}
}

func (f *flow) lose(n int) {
	f.next += uint64(n)
	f.Lost(f.next-1, n*mtu, f.next, f.min)
}

func newFlow() *flow { return &flow{rtt: 20 * ms, min: 20 * ms} }

func TestWindowStartsAt64K(t *testing.T) {
	if got := newFlow().Window(); got != 64<<10 {
		t.Errorf("%d", got)
	}
}

func TestSlowStartDoubles(t *testing.T) {
	f := newFlow()
	f.arrive(initialWindow / mtu)
	if got := f.Window(); got < 2*initialWindow-mtu || got > 2*initialWindow {
		t.Errorf("%d after a window of ACKs", got)
	}
	f.arrive(10000)
	if f.Window() != maxWindow {
		t.Errorf("%d at the end", f.Window())
	}
}

func TestIdleSenderDoesNotGrow(t *testing.T) {
	f := newFlow()
	for n := range uint64(1000) {
		f.Acked(n, mtu, n+1, false)
	}
	if f.Window() != initialWindow {
		t.Errorf("%d", f.Window())
	}
}

func TestSlowStartEndsWhenTheWayGetsLonger(t *testing.T) {
	f := newFlow()
	f.arrive(100)
	f.rtt = 30 * ms
	f.arrive(7)
	if !f.slowStart() {
		t.Error("ended by fewer samples than a round has")
	}
	f.arrive(1)
	if f.slowStart() {
		t.Error("goes on")
	}
	w := f.Window()
	f.arrive(w / mtu)
	if got := f.Window(); got > w+mtu {
		t.Errorf("from %d to %d in a round of congestion avoidance", w, got)
	}
	f.arrive(2)
	if got := f.Window(); got != w+mtu {
		t.Errorf("from %d to %d in a round of congestion avoidance", w, got)
	}
}

func TestLossReducesOncePerRoundTrip(t *testing.T) {
	f := newFlow()
	f.arrive(200)
	w := f.Window()
	f.lose(w / mtu / 4)
	want := w * 7 / 10
	if f.Window() != want {
		t.Fatalf("from %d to %d, want %d", w, f.Window(), want)
	}
	f.Lost(f.next-1, w/4, f.next, f.min) // sent before the reduction
	f.Acked(f.next-1, mtu, f.next, true)
	if f.Window() != want {
		t.Errorf("changed again to %d by packets from before", f.Window())
	}
	f.lose(w / mtu / 4)
	if f.Window() != want*7/10 {
		t.Errorf("%d after the next loss", f.Window())
	}
}

func TestLeastWindow(t *testing.T) {
	f := newFlow()
	for range 100 {
		f.lose(10)
	}
	if f.Window() != minWindow {
		t.Errorf("%d", f.Window())
	}
}

func TestTolerance(t *testing.T) {
	for _, tt := range []struct {
		name    string
		rtt     time.Duration
		lose    int // of 100
		reduced bool
	}{
		{"one of a hundred", 20 * ms, 1, false},
		{"three of a hundred", 20 * ms, 3, true},
		{"one, but the way is longer", 28 * ms, 1, true},
		{"one, the way is a little longer", 26 * ms, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFlow()
			f.arrive(1000)
			f.rtt = tt.rtt
			for range 30 {
				f.arrive(100 - tt.lose)
				before := f.Window()
				for range tt.lose {
					f.lose(1)
				}
				if f.Window() < before {
					if !tt.reduced {
						t.Fatal("reduced")
					}
					return
				}
			}
			if tt.reduced {
				t.Error("not reduced")
			}
		})
	}
}

func TestBurstOfLossIsNotTolerated(t *testing.T) {
	f := newFlow()
	f.arrive(40)
	f.window, f.threshold = 80*mtu, 80*mtu
	f.arrive(2000) // a long history without loss
	w := f.Window()
	f.lose(w/mtu/8 + 1)
	if f.Window() >= w {
		t.Error("an eighth of a window is lost and nothing happens")
	}
}

func TestRestAfterIdleness(t *testing.T) {
	var s Sent[int]
	s.RTT.Sample(10*ms, 0)
	n := s.Add(start, 100, true, NoAck, nil)
	s.Congestion.window = 1 << 20
	s.Ack(at(10*ms), []Range{{n, n}}, 0, nothing, nothing)
	n = s.Add(at(20*ms), 100, true, NoAck, nil)
	s.Ack(at(30*ms), []Range{{n, n}}, 0, nothing, nothing)
	if got := s.Congestion.Window(); got != 1<<20 {
		t.Errorf("%d after 20 ms", got)
	}
	s.Add(at(time.Second), 100, true, NoAck, nil)
	if got := s.Congestion.Window(); got != initialWindow {
		t.Errorf("%d after a second", got)
	}
}
