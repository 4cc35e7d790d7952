package wire

import "time"

const (
	// MaxRanges is how many ranges an ACK has at most.
	MaxRanges = 32

	maxAckDelay = time.Hour // far beyond what is true
)

// A Range is packet numbers from First to Last, both included.
type Range struct {
	First, Last uint64
}

// AppendAck appends an ACK (§10.1) of the first MaxRanges of the ranges. They must
// be in descending order, with a number at least between each two. No ranges
// append nothing. The delay is rounded down to microseconds.
func AppendAck(b []byte, ranges []Range, delay time.Duration) []byte {
	if len(ranges) == 0 {
		return b
	}
	ranges = ranges[:min(len(ranges), MaxRanges)]
	start := len(b)
	b = openFrame(b, FrameAck)
	b = AppendVarint(b, ranges[0].Last)
	b = AppendVarint(b, uint64(max(delay, 0)/time.Microsecond))
	b = AppendVarint(b, uint64(len(ranges)-1))
	b = AppendVarint(b, ranges[0].Last-ranges[0].First)
	for i, r := range ranges[1:] {
		b = AppendVarint(b, ranges[i].First-r.Last-2)
		b = AppendVarint(b, r.Last-r.First)
	}
	return closeFrame(b, start)
}

// ParseAck reads the body of an ACK. The ranges are in dst[:0] if they fit; they
// descend and do not touch. A delay above an hour is given as an hour.
func ParseAck(body []byte, dst []Range) (ranges []Range, delay time.Duration, err error) {
	last, body := varint(body)
	micros, body := varint(body)
	count, body := varint(body)
	length, body := varint(body)
	if body == nil || length > last || count >= MaxRanges {
		return nil, 0, errFrame
	}
	first := last - length
	ranges = append(dst[:0], Range{first, last})
	for range count {
		var gap uint64
		gap, body = varint(body)
		length, body = varint(body)
		if body == nil || first < gap+2 || first-gap-2 < length {
			return nil, 0, errFrame
		}
		last = first - gap - 2
		first = last - length
		ranges = append(ranges, Range{first, last})
	}
	micros = min(micros, uint64(maxAckDelay/time.Microsecond))
	return ranges, time.Duration(micros) * time.Microsecond, nil
}
