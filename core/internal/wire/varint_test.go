package wire

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"
)

func TestVarint(t *testing.T) {
	for _, c := range []struct {
		v    uint64
		want string
	}{
		{0, "00"},
		{63, "3f"},
		{64, "4040"},
		{15293, "7bbd"}, // the examples of RFC 9000 §A.1
		{494878333, "9d7f3e7d"},
		{151288809941952652, "c2197c5eff14e88c"},
		{1<<14 - 1, "7fff"},
		{1 << 14, "80004000"},
		{1<<30 - 1, "bfffffff"},
		{1 << 30, "c000000040000000"},
		{MaxVarint, "ffffffffffffffff"},
	} {
		b := AppendVarint(nil, c.v)
		if hex.EncodeToString(b) != c.want || varintLen(c.v) != len(b) {
			t.Errorf("%d: %x, %d bytes, want %s", c.v, b, varintLen(c.v), c.want)
		}
		v, rest, ok := Varint(append(b, 0xaa))
		if v != c.v || !bytes.Equal(rest, []byte{0xaa}) || !ok {
			t.Errorf("%s: %d, %x, %v", c.want, v, rest, ok)
		}
		for cut := range b {
			if v, rest, ok := Varint(b[:cut]); ok || v != 0 || rest != nil {
				t.Errorf("%s cut at %d: %d, %x, %v", c.want, cut, v, rest, ok)
			}
		}
	}
}

func TestVarintLongForms(t *testing.T) {
	for _, in := range []string{"25", "4025", "80000025", "c000000000000025"} {
		if v, rest, ok := Varint(unhex(t, in)); v != 37 || len(rest) != 0 || !ok {
			t.Errorf("%s: %d, %x, %v", in, v, rest, ok)
		}
	}
}

func TestAppendVarintTooLarge(t *testing.T) {
	for _, v := range []uint64{MaxVarint + 1, math.MaxUint64} {
		if got, _, ok := Varint(AppendVarint(nil, v)); !ok || got != MaxVarint {
			t.Errorf("%d: %d, %v", v, got, ok)
		}
	}
}

func FuzzVarint(f *testing.F) {
	f.Add(uint64(37))
	f.Add(uint64(MaxVarint))
	f.Fuzz(func(t *testing.T, v uint64) {
		b := AppendVarint(nil, v)
		got, rest, ok := Varint(b)
		if !ok || len(rest) != 0 || got != min(v, MaxVarint) || varintLen(v) != len(b) {
			t.Errorf("%d: %x, %d", v, b, got)
		}
	})
}
