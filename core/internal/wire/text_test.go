package wire

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"", 4, ""},
		{"abcd", 4, "abcd"},
		{"abcde", 4, "abcd"},
		{"abcü", 4, "abc"},
		{"abü", 4, "abü"},
		{"a\xff", 8, "a\uFFFD"},
		{"ab\xff", 3, "ab\uFFFD"},
		{"ab\xffcd", 4, "ab\uFFFDc"},
		{"\x80\x80\x80\x80\x80", 4, ""},
		{"ab\x80\x80\x80\x80\x80\x80\x80", 8, "ab\uFFFD"},
		{"😀😀", 7, "😀"},
		{"😀😀", 3, ""},
	} {
		if got := text([]byte(c.in), c.limit); got != c.want {
			t.Errorf("%q at %d: %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

func TestFailure(t *testing.T) {
	long := strings.Repeat("x", MaxErrorMessage)
	for _, f := range []Failure{{"ValueError", "not a number: ü"}, {"", ""}, {long[:MaxErrorType], long}} {
		b := f.Append(nil)
		if got, err := ParseFailure(b); err != nil || got != f {
			t.Errorf("%.50q, %v", got, err)
		}
		for cut := range min(len(f.Type)+1, len(b)) {
			if got, err := ParseFailure(b[:cut]); err == nil || got.Type != "" || len(got.Message) < cut-1 {
				t.Errorf("cut at %d: %.50q, %v", cut, got, err)
			}
		}
	}
	f := Failure{long, long + long}
	got, err := ParseFailure(f.Append(nil))
	if want := (Failure{long[:MaxErrorType], long}); err != nil || got != want {
		t.Errorf("%.50q, %v", got, err)
	}
	if got, err := ParseFailure([]byte{1, 0xff, 0xfe}); err != nil || got != (Failure{"\uFFFD", "\uFFFD"}) {
		t.Errorf("no UTF-8: %q, %v", got, err)
	}
	if got, err := ParseFailure(append(AppendVarint(nil, 2000), long[:2000]...)); err != nil || len(got.Type) != MaxErrorType {
		t.Errorf("a long type: %d bytes, %v", len(got.Type), err)
	}
}

func TestCloseCutsText(t *testing.T) {
	f := Close{1, strings.Repeat("x", 300)}
	_, body, _, _ := NextFrame(f.Append(nil))
	if got, err := ParseClose(body); err != nil || got.Text != f.Text[:MaxCloseText] {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParseClose(append([]byte{1}, f.Text...)); err != nil || len(got.Text) != MaxCloseText {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParseClose([]byte{1, 0xff}); err != nil || got.Text != "\uFFFD" {
		t.Errorf("%+v, %v", got, err)
	}
}
