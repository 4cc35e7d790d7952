package legacy

import "testing"

func TestSplitJSON(t *testing.T) {
	b := []byte(" [1, 2]{\"a\": \"]\"} null\n1.5\t\"x\" ")
	for _, want := range []string{"[1, 2]", `{"a": "]"}`, "null", "1.5", `"x"`} {
		first, rest, err := SplitJSON(b)
		if err != nil || string(first) != want {
			t.Fatalf("%q, %v, want %s", first, err, want)
		}
		b = rest
	}
	if len(b) > 0 {
		t.Errorf("%q is left", b)
	}
	for _, bad := range []string{"", " ", "]", "[1", "{]", "x"} {
		if first, _, err := SplitJSON([]byte(bad)); err == nil {
			t.Errorf("%q: %q", bad, first)
		}
	}
}

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		` { "a" :1 , "b":[ 1.0,1E5 , -0 ] } `: `{"a": 1, "b": [1.0, 1E5, -0]}`,
		`{"é😀":" , : \/ \u0041\b"}`:           `{"\u00e9\ud83d\ude00": " , : / A\b"}`,
		"\"\xed\xa0\x80\x7f\"":                `"\ud800\u007f"`,
		`[NaN,Infinity,-Infinity]`:            `[NaN, Infinity, -Infinity]`,
		`{"a":1,"a":2}`:                       `{"a": 1, "a": 2}`,
		"[ ]":                                 "[]",
	} {
		if got, err := Normalize(nil, []byte(in)); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	if got, err := Normalize([]byte("x"), []byte("[1,]")); err == nil || string(got) != "x" {
		t.Errorf("%s, %v", got, err)
	}
}
