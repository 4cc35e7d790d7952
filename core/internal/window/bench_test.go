package window

import (
	"testing"
	"time"
)

func BenchmarkSendAndAck(b *testing.B) {
	var s Sent[*int]
	s.RTT.Sample(ms, 0)
	now, frames, ranges := start, []*int{new(int)}, make([]Range, 1)
	f := func(*int) {}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		n := s.Add(now, 100, true, NoAck, frames)
		ranges[0] = Range{0, n}
		if _, err := s.Ack(now, ranges, 0, f, f); err != nil {
			b.Fatal(err)
		}
		s.Deadline()
	}
}

// BenchmarkManyRanges acknowledges one packet with an ACK that says 31 old things.
func BenchmarkManyRanges(b *testing.B) {
	var s Sent[*int]
	s.RTT.Sample(ms, 0)
	for range 100 {
		s.Add(start, 100, true, NoAck, nil)
	}
	now, frames, ranges := start, []*int{new(int)}, make([]Range, MaxRanges)
	for i := range ranges[1:] {
		last := uint64(2 * (MaxRanges - i))
		ranges[i+1] = Range{last, last}
	}
	f := func(*int) {}
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		n := s.Add(now, 100, true, NoAck, frames)
		ranges[0] = Range{n, n}
		if _, err := s.Ack(now, ranges, 0, f, f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReceived(b *testing.B) {
	var r Received
	var ranges []Range
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		r.Add(start, n, true)
		r.Due()
		ranges, _ = r.Ack(start, ranges)
	}
}
