package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"math/big"
	"reflect"
	"testing"
	"time"
)

func TestMarshal(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{1, "01"},
		{-1, "20"},
		{uint64(math.MaxUint64), "1bffffffffffffffff"},
		{1.0, "fb3ff0000000000000"},
		{float32(1), "fa3f800000"},
		{math.NaN(), "f97e00"},
		{math.Inf(-1), "f9fc00"},
		{nil, "f6"},
		{[]byte{1}, "4101"},
		{"é", "62c3a9"},
		{big.NewInt(5), "05"},
		{new(big.Int).Lsh(big.NewInt(1), 64), "c249010000000000000000"},
		{map[string]any{"bb": 1, "a": 2, "c": 3}, "a3616102616303626262" + "01"},
		{time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), "781e323032362d30312d30325430333a30343a30352e3030303030303030365a"},
	} {
		b, err := Marshal(c.v)
		if err != nil || hex.EncodeToString(b) != c.want {
			t.Errorf("%v: %x, %v, want %s", c.v, b, err, c.want)
		}
	}
	if _, err := Marshal(make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}

func TestUnmarshalAny(t *testing.T) {
	big64 := new(big.Int).Lsh(big.NewInt(1), 64)
	for in, want := range map[string]any{
		"01":                     int64(1),
		"3b7fffffffffffffff":     int64(math.MinInt64),
		"1b8000000000000000":     new(big.Int).Lsh(big.NewInt(1), 63),
		"c249010000000000000000": big64,
		"fb3ff0000000000000":     1.0,
		"f93c00":                 1.0,
		"f6":                     nil,
		"4101":                   []byte{1},
		"63eda080":               "\xed\xa0\x80",
		"a16161820102":           map[string]any{"a": []any{int64(1), int64(2)}},
	} {
		var got any
		if err := Unmarshal(unhex(t, in), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v, want %#v", in, got, err, want)
		}
	}
}

func TestUnmarshalTyped(t *testing.T) {
	type point struct {
		X, Y float64
		At   time.Time
	}
	want := point{1, 2.5, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	b, err := Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got point
	if err := Unmarshal(b, &got); err != nil || !got.At.Equal(want.At) || got.X != 1 || got.Y != 2.5 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for name, in := range map[string][]byte{
		"nothing":                nil,
		"two items":              {0, 0},
		"integer key":            unhex(t, "a10000"),
		"equal keys":             unhex(t, "a2616101616102"),
		"indefinite array":       unhex(t, "9fff"),
		"indefinite text":        unhex(t, "7fff"),
		"break":                  {0xff},
		"reserved":               {0x1c},
		"huge array":             unhex(t, "9bffffffffffffffff"),
		"huge text":              unhex(t, "7bffffffffffffffff"),
		"array over MaxElements": unhex(t, "9a00020001"),
		"map over MaxElements":   unhex(t, "ba00020001"),
		"deep":                   append(bytes.Repeat([]byte{0x81}, MaxNesting+1), 0),
		"deep tags":              append(bytes.Repeat([]byte{0xd8, 99}, 2*MaxNesting), 0),
	} {
		var v any
		if err := Unmarshal(in, &v); err == nil {
			t.Errorf("%s: %v", name, v)
		}
	}
	if _, _, err := First(append(bytes.Repeat([]byte{0x81}, MaxNesting), 0)); err != nil {
		t.Error("MaxNesting itself:", err)
	}
}

func TestFirst(t *testing.T) {
	b := unhex(t, "820102"+"a0"+"6161")
	for _, want := range []string{"820102", "a0", "6161"} {
		first, rest, err := First(b)
		if err != nil || hex.EncodeToString(first) != want {
			t.Fatalf("%x, %v, want %s", first, err, want)
		}
		b = rest
	}
	if _, _, err := First(b); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	for _, bad := range []string{"8201", "61", "9fff", "ff", "1c"} {
		if first, _, err := First(unhex(t, bad)); err == nil {
			t.Errorf("%s: %x", bad, first)
		}
	}
}

// First looks at items without copying them.
func TestFirstDoesNotAllocate(t *testing.T) {
	b := append(unhex(t, "83010261610a"), 0)
	allocs := testing.AllocsPerRun(100, func() {
		if _, _, err := First(b); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 { // the decoder itself
		t.Errorf("%v allocations", allocs)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{"01", "a16161820102", "c249010000000000000000", "63eda080", "f97e00", "9fff"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		first, rest, err := First(b)
		if err == nil && len(first)+len(rest) != len(b) {
			t.Fatalf("%d + %d of %d bytes", len(first), len(rest), len(b))
		}
		var v any
		if Unmarshal(b, &v) != nil {
			return
		}
		// May fail, as for a time tag beyond the year 9999; must not panic.
		_, _ = Marshal(v)
	})
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUnmarshalOtherKeys(t *testing.T) {
	var m map[any]any
	if err := Unmarshal(unhex(t, "a2016161f5f6"), &m); err != nil || m[int64(1)] != "a" || len(m) != 2 {
		t.Errorf("%v, %v", m, err)
	}
}
