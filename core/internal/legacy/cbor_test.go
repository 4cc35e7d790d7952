package legacy

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Items in hex and their JSON. Those above the blank line are what ToCBOR
// writes, too.
func TestBothWays(t *testing.T) {
	for _, c := range []struct {
		cbor, json string
		oneWay     bool
	}{
		{cbor: "00", json: "0"},
		{cbor: "17", json: "23"},
		{cbor: "1818", json: "24"},
		{cbor: "20", json: "-1"},
		{cbor: "1b ffffffffffffffff", json: "18446744073709551615"},
		{cbor: "3b ffffffffffffffff", json: "-18446744073709551616"},
		{cbor: "c2 49 010000000000000000", json: "18446744073709551616"},
		{cbor: "c3 49 010000000000000000", json: "-18446744073709551617"},
		{cbor: "fb 3ff0000000000000", json: "1.0"},
		{cbor: "fb 8000000000000000", json: "-0.0"},
		{cbor: "f9 7e00", json: "NaN"},
		{cbor: "f9 7c00", json: "Infinity"},
		{cbor: "f9 fc00", json: "-Infinity"},
		{cbor: "f4", json: "false"},
		{cbor: "f5", json: "true"},
		{cbor: "f6", json: "null"},
		{cbor: "60", json: `""`},
		{cbor: "62 c3a9", json: `"\u00e9"`},
		{cbor: "63 eda080", json: `"\ud800"`},
		{cbor: "63 edbfbf", json: `"\udfff"`},
		{cbor: "64 f09f9880", json: `"\ud83d\ude00"`},
		{cbor: "66 edb880 eda0bd", json: `"\ude00\ud83d"`},
		{cbor: "61 7f", json: `"\u007f"`},
		{cbor: "80", json: "[]"},
		{cbor: "82 01 02", json: "[1, 2]"},
		{cbor: "a0", json: "{}"},
		{cbor: "a2 61 62 01 61 61 80", json: `{"b": 1, "a": []}`},

		{cbor: "1800", json: "0", oneWay: true},
		{cbor: "f9 3c00", json: "1.0", oneWay: true},
		{cbor: "f9 0001", json: "5.960464477539063e-08", oneWay: true},
		{cbor: "fa 3dcccccd", json: "0.10000000149011612", oneWay: true},
		{cbor: "fb 7ff8000000000001", json: "NaN", oneWay: true},
		{cbor: "c2 40", json: "0", oneWay: true},
		{cbor: "c2 42 0001", json: "1", oneWay: true},
		{cbor: "66 eda0bd edb880", json: `"\ud83d\ude00"`, oneWay: true},
		{cbor: "a5 01 00 20 00 fb3ff8000000000000 00 f5 00 f6 00",
			json: `{"1": 0, "-1": 0, "1.5": 0, "true": 0, "null": 0}`, oneWay: true},
		{cbor: "a2 c249010000000000000000 00 f97e00 00", json: `{"18446744073709551616": 0, "NaN": 0}`, oneWay: true},
	} {
		got, err := ToJSON([]byte("x"), unhex(t, c.cbor))
		if err != nil || string(got) != "x"+c.json {
			t.Errorf("%s: %s, %v, want %s", c.cbor, got, err, c.json)
		}
		back, err := ToCBOR([]byte("x"), []byte(c.json))
		same := bytes.Equal(back[1:], unhex(t, c.cbor))
		if err != nil || same == c.oneWay {
			t.Errorf("%s: %x, %v, want %s", c.json, back[1:], err, c.cbor)
		}
	}
}

// What has no JSON form is named as json.dumps names it.
func TestNotEncodable(t *testing.T) {
	for in, want := range map[string]string{
		"41 00":               "Object of type bytes is not JSON serializable",
		"81 a1 61 61 41 00":   "Object of type bytes is not JSON serializable",
		"f7":                  "Object of type undefined is not JSON serializable",
		"f0":                  "Object of type CBORSimpleValue is not JSON serializable",
		"f8 ff":               "Object of type CBORSimpleValue is not JSON serializable",
		"c0 60":               "Object of type datetime is not JSON serializable",
		"c1 00":               "Object of type datetime is not JSON serializable",
		"d8 25 40":            "Object of type UUID is not JSON serializable",
		"d9 0102 80":          "Object of type set is not JSON serializable",
		"c4 82 00 00":         "Object of type Decimal is not JSON serializable",
		"d9 d9f7 00":          "Object of type CBOR tag 55799 is not JSON serializable",
		"a1 41 00 00":         "keys must be str, int, float, bool or None, not bytes",
		"a1 80 00":            "keys must be str, int, float, bool or None, not list",
		"a1 a0 00":            "keys must be str, int, float, bool or None, not dict",
		"a1 f7 00":            "keys must be str, int, float, bool or None, not undefined",
		"a1 c1 00 00":         "keys must be str, int, float, bool or None, not datetime",
		"5b 7fffffffffffffff": "Object of type bytes is not JSON serializable",
	} {
		b, err := ToJSON([]byte("x"), unhex(t, in))
		var not *NotEncodableError
		if !errors.As(err, &not) || err.Error() != want || string(b) != "x" {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

func TestBadCBOR(t *testing.T) {
	for name, in := range map[string][]byte{
		"nothing":            nil,
		"two items":          unhex(t, "00 00"),
		"huge text":          unhex(t, "7b ffffffffffffffff 61"),
		"huge array":         unhex(t, "9b ffffffffffffffff 00"),
		"huge map":           unhex(t, "bb ffffffffffffffff 00 00"),
		"huge bignum":        unhex(t, "c2 5b ffffffffffffffff 00"),
		"short text":         unhex(t, "62 61"),
		"short head":         unhex(t, "19 00"),
		"reserved head":      unhex(t, "1c"),
		"indefinite array":   unhex(t, "9f ff"),
		"indefinite text":    unhex(t, "7f ff"),
		"break":              unhex(t, "ff"),
		"map without value":  unhex(t, "a1 00"),
		"text not UTF-8":     unhex(t, "61 ff"),
		"text cut surrogate": unhex(t, "62 eda0"),
		"bignum of text":     unhex(t, "c2 60"),
		"bignum of nothing":  unhex(t, "c2"),
		"deep arrays":        bytes.Repeat([]byte{0x81}, 60_000),
		"deep maps":          bytes.Repeat([]byte{0xa1, 0}, 30_000),
		"deep tags":          bytes.Repeat([]byte{0xc2}, 60_000),
		"513 arrays":         append(bytes.Repeat([]byte{0x81}, 513), 0),
		"4301 digits":        mustMarshal(t, new(big.Int).Exp(big.NewInt(10), big.NewInt(4300), nil)),
		"minus 4301 digits":  mustMarshal(t, new(big.Int).Neg(new(big.Int).Exp(big.NewInt(10), big.NewInt(4300), nil))),
		"bignum of 60,000 B": append(unhex(t, "c2 59 ea60"), bytes.Repeat([]byte{0xff}, 60_000)...),
	} {
		if b, err := ToJSON(nil, in); err == nil {
			t.Errorf("%s: %.40s", name, b)
		}
	}
}

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The largest integers that Python prints pass.
func TestLongestInteger(t *testing.T) {
	n := new(big.Int).Exp(big.NewInt(10), big.NewInt(4300), nil)
	for _, n := range []*big.Int{new(big.Int).Sub(n, big.NewInt(1)), new(big.Int).Sub(big.NewInt(1), n)} {
		b, err := ToJSON(nil, mustMarshal(t, n))
		if err != nil || string(b) != n.String() {
			t.Errorf("%v: %d bytes", err, len(b))
		}
	}
}

func TestDepth(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	cbor, err := ToCBOR(nil, []byte(deep))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := ToJSON(nil, cbor); err != nil || string(b) != deep {
		t.Error(err)
	}
	if _, err := ToCBOR(nil, []byte("["+deep+"]")); err == nil {
		t.Error("too deep")
	}
}

// Equal keys: the last value in the first one's place, for few and for many.
func TestEqualKeys(t *testing.T) {
	many := "{" + strings.Repeat(`"a": 1, "b": 2, `, 20) + `"\u0061": {"x": 3, "x": 4}}`
	for in, want := range map[string]string{
		`{"a": 1, "b": 2, "a": 3}`:           `{"a": 3, "b": 2}`,
		`{"a": {"b": 1, "b": 2}, "a": [{}]}`: `{"a": [{}]}`,
		`[{"": 1, "": 2}, {"": 3}]`:          `[{"": 2}, {"": 3}]`,
		many:                                 `{"a": {"x": 4}, "b": 2}`,
	} {
		if got := reread(t, []byte(in)); got != want {
			t.Errorf("%.40s: %s", in, got)
		}
	}
}

// Heads grow with the count: each size of array, map and string.
func TestCounts(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536} {
		for _, in := range []string{
			"[" + strings.TrimSuffix(strings.Repeat("0, ", n), ", ") + "]",
			`"` + strings.Repeat("x", n) + `"`,
			`"` + strings.Repeat(`\n`, n) + `"`,
		} {
			if got := reread(t, []byte(in)); got != in {
				t.Errorf("%d: %.40s", n, got)
			}
		}
	}
}

// A reader that knows nothing of this package agrees on the values.
func TestAgreesWithLibrary(t *testing.T) {
	b, err := ToCBOR(nil, []byte(`[1, 1.0, "\u00e9", {"a": [true, null]}, -5, 1e400, 1180591620717411303424]`))
	if err != nil {
		t.Fatal(err)
	}
	want := mustMarshal(t, []any{1, 1.0, "é", map[string]any{"a": []any{true, nil}}, -5, math.Inf(1), new(big.Int).Lsh(big.NewInt(1), 70)})
	mine, theirs := diagnose(t, b), diagnose(t, want)
	if mine != theirs {
		t.Errorf("%s, want %s", mine, theirs)
	}
}

func diagnose(t *testing.T, b []byte) string {
	t.Helper()
	s, err := cbor.Diagnose(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
