package wire

import (
	"testing"
	"time"
)

var (
	benchCall  = Call{ID: 70_000, Timeout: 5000, Codec: 2, Name: []byte("add_numbers"), Total: 64, Data: make([]byte, 64)}
	benchMore  = More{Direction: Result, ID: 70_000, Total: 1 << 20, Offset: 1 << 19, Data: make([]byte, 1100)}
	benchReply = Reply{ID: 70_000, Codec: 2, Total: 64, Data: make([]byte, 64)}
	benchAck   = []Range{{90, 100}, {10, 80}, {1, 5}}
)

// benchFrames are the frames of calls, each with a function to append and one to
// parse it. Neither may allocate.
func benchFrames() map[string]struct {
	append func(b []byte) []byte
	parse  func(body []byte) error
} {
	var ranges [MaxRanges]Range
	return map[string]struct {
		append func(b []byte) []byte
		parse  func(body []byte) error
	}{
		"CALL":  {benchCall.Append, func(b []byte) error { _, err := ParseCall(b); return err }},
		"MORE":  {benchMore.Append, func(b []byte) error { _, err := ParseMore(b); return err }},
		"REPLY": {benchReply.Append, func(b []byte) error { _, err := ParseReply(b); return err }},
		"ACK": {
			func(b []byte) []byte { return AppendAck(b, benchAck, time.Millisecond) },
			func(b []byte) error { _, _, err := ParseAck(b, ranges[:0]); return err },
		},
		"WORKING": {
			func(b []byte) []byte { return AppendID(b, FrameWorking, 70_000) },
			func(b []byte) error { _, err := ParseID(b); return err },
		},
		"PATH_CHALLENGE": {
			func(b []byte) []byte { return AppendPath(b, FramePathChallenge, [8]byte{1}) },
			func(b []byte) error { _, err := ParsePath(b); return err },
		},
	}
}

func TestFramesDoNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 2048)
	for name, f := range benchFrames() {
		allocs := testing.AllocsPerRun(100, func() {
			b := Header{Session: 1, Number: 2}.Append(buf)
			b = f.append(b)
			b = append(b, make([]byte, TagSize)...)
			if _, err := ParseHeader(b); err != nil {
				t.Fatal(err)
			}
			_, body, _, err := NextFrame(b[HeaderSize:])
			if err == nil {
				err = f.parse(body)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	buf := make([]byte, 0, 2048)
	for name, f := range benchFrames() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.append(buf)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for name, f := range benchFrames() {
		frame := f.append(nil)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, body, _, _ := NextFrame(frame)
				if err := f.parse(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHeader(b *testing.B) {
	buf := make([]byte, 64)
	for b.Loop() {
		Header{Session: 1, Number: 2}.Append(buf[:0])
		if _, err := ParseHeader(buf); err != nil {
			b.Fatal(err)
		}
	}
}
