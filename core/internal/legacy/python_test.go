package legacy

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"testing"
)

// table reads a file of testdata/gen.py: two columns, split at the first blank.
func table(t *testing.T, file string) [][2]string {
	t.Helper()
	var rows [][2]string
	for line := range strings.Lines(string(readFile(t, file))) {
		a, b, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		rows = append(rows, [2]string{a, b})
	}
	if len(rows) < 1000 {
		t.Fatalf("%s: %d rows", file, len(rows))
	}
	return rows
}

func TestFloatsLikePython(t *testing.T) {
	for _, row := range table(t, "testdata/floats.txt") {
		bits, err := strconv.ParseUint(row[0], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		f := math.Float64frombits(bits)
		if got := string(appendFloat(nil, f)); got != row[1] {
			t.Errorf("%s: %s, want %s", row[0], got, row[1])
		}
		if f == f && literal([]byte(row[1])) == 0 && parseFloat([]byte(row[1])) != f {
			t.Errorf("%s does not read back", row[1])
		}
	}
}

// json.dumps(json.loads(text)) is ToJSON(ToCBOR(text)), and what Python
// refuses is refused.
func TestTextsLikePython(t *testing.T) {
	for _, row := range table(t, "testdata/loads.txt") {
		in, _ := hex.DecodeString(strings.TrimSuffix(row[0], "."))
		if got := reread(t, in); got != row[1] {
			t.Errorf("%q:\n got %s\nwant %s", in, got, row[1])
		}
		if ok := Valid(in) == nil; ok != (row[1] != "-") {
			t.Errorf("%q: valid %v", in, ok)
		}
	}
}

func reread(t *testing.T, in []byte) string {
	cbor, err := ToCBOR(nil, in)
	if err != nil {
		return "-"
	}
	out, err := ToJSON(nil, cbor)
	if err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	again, err := ToCBOR(nil, out)
	if err != nil || !bytes.Equal(again, cbor) {
		t.Fatalf("%q: CBOR %x, then %x, %v", in, cbor, again, err)
	}
	return string(out)
}

// Normalize spells strings as Python does and leaves numbers and equal keys.
func TestNormalizeLikePython(t *testing.T) {
	for _, row := range table(t, "testdata/loads.txt") {
		in, _ := hex.DecodeString(strings.TrimSuffix(row[0], "."))
		got, err := Normalize([]byte("x"), in)
		if (err == nil) != (row[1] != "-") {
			t.Errorf("%q: %v", in, err)
		}
		if err != nil {
			continue
		}
		if again := mustNormalize(t, got[1:]); !bytes.Equal(again, got[1:]) {
			t.Errorf("%q: %q, then %q", in, got, again)
		}
		if out := reread(t, got[1:]); out != row[1] {
			t.Errorf("%q: %q reads as %s", in, got, out)
		}
		if want := mustNormalize(t, []byte(row[1])); string(want) != row[1] {
			t.Errorf("%s is not its own normal form: %s", row[1], want)
		}
	}
}
