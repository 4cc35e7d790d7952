package window

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

// a sender records what a Sent gives back.
type sender struct {
	Sent[int]
	acked, lost []int
}

func newSender(rtt time.Duration) *sender {
	s := new(sender)
	s.RTT.Sample(rtt, 0)
	return s
}

// send sends an eliciting packet of 100 bytes whose frame is its number.
func (s *sender) send(at time.Time) uint64 {
	return s.Add(at, 100, true, NoAck, []int{int(s.Next())})
}

func (s *sender) ack(t *testing.T, now time.Time, ranges ...Range) int {
	t.Helper()
	n, err := s.Ack(now, ranges, 0, func(f int) { s.acked = append(s.acked, f) }, s.lose)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *sender) lose(f int) { s.lost = append(s.lost, f) }

func (s *sender) want(t *testing.T, acked, lost []int) {
	t.Helper()
	if !slices.Equal(s.acked, acked) || !slices.Equal(s.lost, lost) {
		t.Errorf("acked %v, lost %v; want %v, %v", s.acked, s.lost, acked, lost)
	}
}

func (s *sender) deadline(t *testing.T, want time.Duration) {
	t.Helper()
	if d, ok := s.Deadline(); !ok || d.Sub(start) != want {
		t.Errorf("deadline %v %t, want %v", d.Sub(start), ok, want)
	}
}

func TestAckGivesFramesBack(t *testing.T) {
	s := newSender(10 * ms)
	s.Add(start, 300, true, NoAck, []int{1, 2, 3})
	s.Add(start, 200, true, NoAck, []int{4})
	s.Add(start, 50, false, NoAck, nil)
	if s.Unacked() != 2 || s.InFlight() != 500 || s.Next() != 3 {
		t.Errorf("%d packets, %d bytes, next %d", s.Unacked(), s.InFlight(), s.Next())
	}
	if n := s.ack(t, at(10*ms), Range{0, 0}); n != 1 || s.Unacked() != 1 || s.InFlight() != 200 {
		t.Errorf("%d newly, %d packets, %d bytes", n, s.Unacked(), s.InFlight())
	}
	s.want(t, []int{1, 2, 3}, nil)
	if n := s.ack(t, at(10*ms), Range{0, 2}); n != 1 {
		t.Errorf("%d newly", n)
	}
	if n := s.ack(t, at(10*ms), Range{0, 2}); n != 0 {
		t.Errorf("%d newly the second time", n)
	}
	s.want(t, []int{1, 2, 3, 4}, nil)
	if _, ok := s.Deadline(); ok || s.Unacked() != 0 || s.InFlight() != 0 {
		t.Error("something is left")
	}
}

func TestFramesElicit(t *testing.T) {
	var s Sent[int]
	s.Add(start, 100, false, NoAck, []int{1})
	if s.Unacked() != 1 {
		t.Error("a packet with a frame that nobody waits for")
	}
}

func TestFalseAcks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ranges []Range
		want   error
	}{
		{"empty", nil, nil},
		{"never sent", []Range{{0, 10}}, ErrUnsent},
		{"far away", []Range{{0, math.MaxUint64}}, ErrUnsent},
		{"inverted", []Range{{5, 4}}, ErrRanges},
		{"upwards", []Range{{0, 1}, {4, 5}}, ErrRanges},
		{"overlapping", []Range{{4, 6}, {2, 4}}, ErrRanges},
		{"good", []Range{{4, 6}, {2, 2}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSender(10 * ms)
			for range 10 {
				s.send(start)
			}
			_, err := s.Ack(at(ms), tt.ranges, 0, nothing, nothing)
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if err != nil && s.Unacked() != 10 {
				t.Error("the bad ACK changed something")
			}
		})
	}
	var none Sent[int]
	if _, err := none.Ack(start, []Range{{0, 0}}, 0, nothing, nothing); !errors.Is(err, ErrUnsent) {
		t.Errorf("nothing was sent: %v", err)
	}
}

func TestLossByNumber(t *testing.T) {
	s := newSender(10 * ms)
	for range 5 {
		s.send(start)
	}
	s.ack(t, at(10*ms), Range{3, 3})
	s.want(t, []int{3}, []int{0})
	s.ack(t, at(10*ms), Range{4, 4})
	s.want(t, []int{3, 4}, []int{0, 1})
	s.ack(t, at(10*ms), Range{0, 4}) // the late ones
	s.want(t, []int{3, 4, 2}, []int{0, 1})
}

func TestPacketsWithoutFramesCountForLoss(t *testing.T) {
	s := newSender(10 * ms)
	s.send(start)
	for range 3 {
		s.Add(start, 50, false, NoAck, nil)
	}
	if n := s.ack(t, at(10*ms), Range{3, 3}); n != 0 {
		t.Errorf("%d newly", n)
	}
	s.want(t, nil, []int{0})
}

func TestLossByTime(t *testing.T) {
	s := newSender(8 * ms)
	s.send(start)
	s.send(start)
	s.ack(t, at(8*ms), Range{1, 1})
	s.want(t, []int{1}, nil)
	s.deadline(t, 9*ms)
	if n := s.Timeout(at(9*ms-1), s.lose); n != 0 || len(s.lost) > 0 {
		t.Error("too early")
	}
	if n := s.Timeout(at(9*ms), s.lose); n != 0 {
		t.Errorf("%d probes", n)
	}
	s.want(t, []int{1}, []int{0})
	if s.PTOCount() != 0 {
		t.Error("counted as PTO")
	}
}

func TestLossByTimeOneAfterAnother(t *testing.T) {
	s := newSender(8 * ms)
	s.send(start)
	s.send(at(2 * ms))
	s.send(at(2 * ms))
	s.ack(t, at(10*ms), Range{2, 2})
	s.want(t, []int{2}, []int{0})
	s = newSender(8 * ms)
	s.send(at(1 * ms))
	s.send(at(2 * ms))
	s.send(at(2 * ms))
	s.ack(t, at(10*ms-1), Range{2, 2})
	first, _ := s.Deadline()
	s.Timeout(first, s.lose)
	s.want(t, []int{2}, []int{0})
	second, _ := s.Deadline()
	s.Timeout(second, s.lose)
	s.want(t, []int{2}, []int{0, 1})
	if second.Sub(first) != ms {
		t.Errorf("%v between them", second.Sub(first))
	}
}

func TestLossByTimeIsAtLeastAMillisecond(t *testing.T) {
	s := newSender(100 * time.Microsecond)
	s.send(start)
	s.send(start)
	s.ack(t, at(100*time.Microsecond), Range{1, 1})
	s.deadline(t, ms)
}

func TestOvertakenForTooLongIsLostAtOnce(t *testing.T) {
	s := newSender(8 * ms)
	s.send(start)
	s.send(at(20 * ms))
	s.ack(t, at(28*ms), Range{1, 1})
	s.want(t, []int{1}, []int{0})
}

func TestSampleOfTheLargestOnly(t *testing.T) {
	s := newSender(10 * ms)
	s.send(start)
	s.send(at(5 * ms))
	s.ack(t, at(20*ms), Range{1, 1})
	if s.RTT.Latest() != 15*ms {
		t.Errorf("%v", s.RTT.Latest())
	}
	s.ack(t, at(30*ms), Range{0, 1})
	if s.RTT.Latest() != 15*ms {
		t.Errorf("%v from a packet that is not the largest", s.RTT.Latest())
	}
	s.send(at(30 * ms))
	s.Add(at(30*ms), 50, false, NoAck, nil)
	s.ack(t, at(90*ms), Range{2, 3})
	if s.RTT.Latest() != 15*ms {
		t.Errorf("%v from an ACK of a packet that asks for none", s.RTT.Latest())
	}
}

func TestPTOsInARow(t *testing.T) {
	s := newSender(10 * ms) // PTO 31 ms
	s.send(start)
	s.send(at(ms))
	s.send(at(2 * ms))
	s.deadline(t, 31*ms)
	if n := s.Timeout(at(30*ms), s.lose); n != 0 {
		t.Errorf("%d probes too early", n)
	}
	if n := s.Timeout(at(31*ms), s.lose); n != 2 || s.PTOCount() != 1 {
		t.Errorf("%d probes, %d PTOs", n, s.PTOCount())
	}
	var oldest []int
	s.Probe(2, func(f int) { oldest = append(oldest, f) })
	if !slices.Equal(oldest, []int{0, 1}) {
		t.Errorf("probes of %v", oldest)
	}
	s.deadline(t, (31+62)*ms)
	s.Add(at(31*ms), 100, true, NoAck, []int{0, 1})
	s.deadline(t, (31+62)*ms)
	s.Timeout(at(93*ms), s.lose)
	s.deadline(t, (93+124)*ms)
	s.want(t, nil, nil)
	s.ack(t, at(100*ms), Range{3, 3}) // the probe; both copies were tracked
	s.want(t, []int{0, 1}, []int{0, 1, 2})
	if s.PTOCount() != 0 {
		t.Error("PTOs are counted on after an ACK")
	}
}

func TestProbesForASinglePacket(t *testing.T) {
	s := newSender(10 * ms)
	s.send(start)
	if n := s.Timeout(at(31*ms), s.lose); n != 1 {
		t.Errorf("%d probes", n)
	}
	if n := s.Timeout(at(93*ms), s.lose); n != 2 {
		t.Errorf("%d probes at the second PTO", n)
	}
}

func TestSendingDoesNotPutOffThePTO(t *testing.T) {
	s := newSender(10 * ms)
	for i := range 30 {
		s.send(at(time.Duration(i) * ms))
	}
	s.deadline(t, 31*ms)
	s.ack(t, at(20*ms), Range{0, 5})
	s.deadline(t, 20*ms+s.RTT.PTO(0))
}

func TestProbesOfATooLongQueueEnd(t *testing.T) {
	var s Sent[int]
	for range maxPackets {
		if s.Full() {
			t.Fatal("full too early")
		}
		s.Add(start, 1, true, NoAck, nil)
	}
	if !s.Full() {
		t.Fatal("not full")
	}
	if s.Timeout(at(time.Second), nothing) == 0 {
		t.Error("no probes although it is full: it would stay so")
	}
	for range maxPackets {
		s.Add(start, 1, true, NoAck, nil)
	}
	if s.Timeout(at(2*time.Second), nothing) != 0 {
		t.Error("probes without end")
	}
	s.Clear(nothing)
	if s.Full() || s.Unacked() != 0 || s.InFlight() != 0 || s.packets.slots != nil {
		t.Error("still there after Clear")
	}
}

func TestLimited(t *testing.T) {
	for _, tt := range []struct {
		threshold, bytes int
		want             bool
	}{
		{0, initialWindow/2 - 1, false},
		{0, initialWindow / 2, true},
		{minWindow, initialWindow / 2, false},
		{minWindow, initialWindow - 2*mtu - 1, false},
		{minWindow, initialWindow - 2*mtu, true},
	} {
		s := newSender(10 * ms)
		s.Congestion.threshold = tt.threshold
		s.Add(start, tt.bytes, true, NoAck, nil)
		if got := s.limited(); got != tt.want {
			t.Errorf("%d bytes in flight, threshold %d: %t", tt.bytes, tt.threshold, got)
		}
	}
}

func TestAckedAck(t *testing.T) {
	s := newSender(10 * ms)
	s.Add(start, 100, true, 7, nil)
	s.Add(start, 100, true, NoAck, nil)
	s.Add(start, 100, true, 5, nil)
	if _, ok := s.AckedAck(); ok {
		t.Error("none is acknowledged yet")
	}
	s.ack(t, at(10*ms), Range{1, 2})
	if n, ok := s.AckedAck(); n != 5 || !ok {
		t.Errorf("%d %t", n, ok)
	}
	s.ack(t, at(10*ms), Range{0, 2})
	if n, _ := s.AckedAck(); n != 7 {
		t.Errorf("%d", n)
	}
}

func TestClearGivesAllBack(t *testing.T) {
	s := newSender(10 * ms)
	for range 4 {
		s.send(start)
	}
	s.ack(t, at(10*ms), Range{2, 2})
	s.Clear(s.lose)
	s.want(t, []int{2}, []int{0, 1, 3})
	if _, ok := s.Deadline(); ok {
		t.Error("a deadline for nothing")
	}
	if n := s.send(at(20 * ms)); n != 4 {
		t.Errorf("number %d used again", n)
	}
}

func TestPersistentCongestion(t *testing.T) {
	for _, tt := range []struct {
		name     string
		sent     []time.Duration
		acked    []Range
		collapse bool
	}{ // nothing may arrive for 3 × 23.25 ms
		{"long", []time.Duration{0, 40 * ms, 70 * ms, 75 * ms}, []Range{{3, 3}}, true},
		{"short", []time.Duration{0, 40 * ms, 69 * ms, 74 * ms}, []Range{{3, 3}}, false},
		{"one arrived between", []time.Duration{0, 40 * ms, 70 * ms, 75 * ms}, []Range{{3, 3}, {1, 1}}, false},
		{"one arrived before", []time.Duration{0, 1 * ms, 40 * ms, 71 * ms, 76 * ms}, []Range{{4, 4}, {0, 0}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSender(8 * ms)
			for _, d := range tt.sent {
				s.send(at(d))
			}
			last := tt.sent[len(tt.sent)-1]
			s.ack(t, at(last+10*ms), tt.acked...)
			if got := s.Congestion.Window() == minWindow; got != tt.collapse {
				t.Errorf("window %d", s.Congestion.Window())
			}
			if got := s.RTT.Min() == 10*ms; got != tt.collapse {
				t.Errorf("minimum %v", s.RTT.Min())
			}
		})
	}
}

func TestSuspicious(t *testing.T) {
	big := func(s *sender, at time.Time) uint64 { return s.Add(at, 1232, true, NoAck, nil) }
	t.Run("two PTOs", func(t *testing.T) {
		s := newSender(10 * ms)
		s.send(start)
		big(s, start)
		s.Timeout(at(31*ms), s.lose)
		if s.Suspicious(548) {
			t.Error("after one")
		}
		s.Timeout(at(93*ms), s.lose)
		if !s.Suspicious(548) || !s.Suspicious(996) || s.Suspicious(1232) {
			t.Error("not after two")
		}
		s.ack(t, at(94*ms), Range{0, 0})
		if s.Suspicious(548) {
			t.Error("after an ACK")
		}
	})
	t.Run("small ones lost", func(t *testing.T) {
		s := newSender(10 * ms)
		s.send(start)
		s.Timeout(at(31*ms), s.lose)
		s.Timeout(at(93*ms), s.lose)
		if s.Suspicious(548) {
			t.Error("small packets are lost")
		}
	})
	t.Run("small ones pass", func(t *testing.T) {
		s := newSender(10 * ms)
		round := func(i int, bigPasses bool) {
			now := at(time.Duration(i) * 20 * ms)
			n := big(s, now)
			for range 3 {
				s.send(now)
			}
			if bigPasses {
				s.ack(t, now.Add(10*ms), Range{n, n + 3})
			} else {
				s.ack(t, now.Add(10*ms), Range{n + 1, n + 3})
			}
		}
		for i := range 6 {
			round(i, i == 2)
			if s.Suspicious(548) {
				t.Fatalf("after %d rounds", i+1)
			}
		}
		round(6, false)
		if !s.Suspicious(548) || s.Suspicious(1232) {
			t.Error("large packets never arrive")
		}
		s.Resized()
		if s.Suspicious(548) {
			t.Error("after the size was changed")
		}
	})
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	var s Sent[*int]
	var r Received
	now, frames := start, []*int{new(int)}
	f := func(*int) {}
	var ranges []Range
	step := func() {
		now = now.Add(ms)
		n := s.Add(now, 100, true, NoAck, frames)
		r.Add(now, n, true)
		var delay time.Duration
		ranges, delay = r.Ack(now, ranges)
		if _, err := s.Ack(now, ranges, delay, f, f); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestFramesAreNotKept(t *testing.T) {
	var s Sent[*int]
	n := s.Add(start, 100, true, NoAck, []*int{new(int), new(int)})
	f := func(*int) {}
	s.Ack(at(ms), []Range{{n, n}}, 0, f, f)
	for _, p := range s.packets.slots {
		for _, frame := range p.frames[:cap(p.frames)] {
			if frame != nil {
				t.Fatal("a frame is still referenced")
			}
		}
	}
}
