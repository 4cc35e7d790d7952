package wire

import (
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func TestAck(t *testing.T) {
	most := make([]Range, MaxRanges)
	for i := range most {
		first := MaxVarint - uint64(i)*1000
		most[i] = Range{first - 1, first}
	}
	for _, c := range []struct {
		ranges []Range
		delay  time.Duration
		want   string // "" if it does not matter
	}{
		{[]Range{{0, 0}}, 0, "02400400000000"},
		{[]Range{{0, 9}}, 63 * time.Microsecond, "024004093f0009"},
		{[]Range{{8, 9}, {3, 6}}, 0, "0240060900010100" + "03"},
		{[]Range{{0, MaxVarint}}, time.Hour, ""},
		{[]Range{{MaxVarint, MaxVarint}, {0, 0}}, time.Millisecond, ""},
		{most, time.Millisecond, ""},
	} {
		b := AppendAck(nil, c.ranges, c.delay)
		if c.want != "" && hex.EncodeToString(b) != c.want {
			t.Errorf("%v: %x, want %s", c.ranges, b, c.want)
		}
		_, body, rest, err := NextFrame(b)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%v: %x, %v", c.ranges, b, err)
		}
		got, delay, err := ParseAck(body, nil)
		if err != nil || delay != c.delay || !reflect.DeepEqual(got, c.ranges) {
			t.Errorf("%v, %v, %v, want %v, %v", got, delay, err, c.ranges, c.delay)
		}
	}
}

func TestAckAtTheLimits(t *testing.T) {
	if b := AppendAck(nil, nil, time.Second); b != nil {
		t.Errorf("no ranges: %x", b)
	}
	var many []Range
	for i := uint64(200); i > 2; i -= 2 {
		many = append(many, Range{i, i})
	}
	for delay, want := range map[time.Duration]time.Duration{
		-time.Second: 0, 999 * time.Nanosecond: 0, 24 * time.Hour: time.Hour,
	} {
		_, body, _, _ := NextFrame(AppendAck(nil, many, delay))
		got, rounded, err := ParseAck(body, nil)
		if err != nil || rounded != want || !reflect.DeepEqual(got, many[:MaxRanges]) {
			t.Errorf("%v: %v, %v, %v", delay, got, rounded, err)
		}
	}
}

func TestParseAckRefuses(t *testing.T) {
	tooMany := append([]byte{60, 0, MaxRanges, 0}, make([]byte, 2*MaxRanges)...)
	for name, in := range map[string]string{
		"empty":             "",
		"first below zero":  "05000006",
		"gap below zero":    "0500010404" + "00", // 1, then -5
		"gap to -1":         "0500010500" + "00", // 0, then -2
		"length below zero": "0900010105" + "02", // 8–9, then 1 and two before it
		"count beyond":      "09000201" + "0000",
		"count huge":        "0900ffffffffffffffff00",
		"33 ranges":         hex.EncodeToString(tooMany),
		"gap huge":          "0900010" + "1ffffffffffffffff00",
	} {
		if ranges, delay, err := ParseAck(unhex(t, in), nil); err == nil {
			t.Errorf("%s: %v, %v", name, ranges, delay)
		}
	}
}

func TestParseAckReuses(t *testing.T) {
	_, body, _, _ := NextFrame(AppendAck(nil, []Range{{5, 6}, {1, 2}}, 0))
	dst := make([]Range, 7, MaxRanges)
	got, _, err := ParseAck(body, dst)
	if err != nil || len(got) != 2 || &got[0] != &dst[0] {
		t.Errorf("%v, %v", got, err)
	}
}

// Any descending ranges come back, and no change of a byte makes ranges that do
// not descend.
func TestAckAtRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		ranges := randomRanges(rnd)
		_, body, _, _ := NextFrame(AppendAck(nil, ranges, time.Duration(rnd.IntN(1e6))*time.Microsecond))
		got, _, err := ParseAck(body, nil)
		if err != nil || !reflect.DeepEqual(got, ranges) {
			t.Fatalf("%v, %v, want %v", got, err, ranges)
		}
		body[rnd.IntN(len(body))] = byte(rnd.Uint32())
		got, _, _ = ParseAck(body, nil)
		for i, r := range got {
			if r.First > r.Last || i > 0 && r.Last+1 >= got[i-1].First {
				t.Fatalf("%x gives %v", body, got)
			}
		}
	}
}

func randomRanges(rnd *rand.Rand) []Range {
	next := uint64(1) << (10 + rnd.IntN(50))
	var ranges []Range
	for range 1 + rnd.IntN(MaxRanges) {
		last := next - rnd.Uint64N(next/8+1)
		first := last - rnd.Uint64N(last/8+1)
		ranges = append(ranges, Range{first, last})
		if first < 20 {
			break
		}
		next = first - 2
	}
	return ranges
}
