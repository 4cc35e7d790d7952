package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Everything that is parsed, with bits flipped, bytes cut out and put in: there is
// nothing to check but that it does not panic, and terminates.
func TestMutated(t *testing.T) {
	var samples []sample
	samples = append(samples, packetSamples()...)
	samples = append(samples, helloSamples()...)
	samples = append(samples, frameSamples()...)
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, s := range samples {
		for range 200 {
			b := mutate(rnd, bytes.Clone(s.b))
			parseAll(b)
			_, _ = ParseHello(b)
			_, _ = ParseFailure(b)
			_, _ = parseFrames(b)
			for typ := FramePing; typ <= FrameClose+1; typ++ {
				_, _ = parseFrame(typ, b)
			}
		}
	}
}

func mutate(rnd *rand.Rand, b []byte) []byte {
	for range 1 + rnd.IntN(4) {
		at := rnd.IntN(len(b) + 1)
		switch rnd.IntN(3) {
		case 0:
			b = append(b[:at:at], b[min(len(b), at+1+rnd.IntN(4)):]...)
		case 1:
			b = append(append(b[:at:at], byte(rnd.Uint32()), 0xff), b[at:]...)
		default:
			if at < len(b) {
				b[at] ^= 1 << rnd.IntN(8)
			}
		}
	}
	return b
}
