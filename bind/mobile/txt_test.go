package peerlink

import (
	"slices"
	"strings"
	"testing"
)

func TestParseTXT(t *testing.T) {
	long := strings.Repeat("x", 255)
	tests := []struct {
		name string
		wire string
		want []string
		err  error
	}{
		{name: "nothing"},
		{name: "one empty string, as RFC 6763 wants it", wire: "\x00"},
		{name: "two", wire: "\x03a=1\x02b=", want: []string{"a=1", "b="}},
		{name: "empty strings between", wire: "\x00\x03a=1\x00\x00", want: []string{"a=1"}},
		{name: "longest string", wire: "\xff" + long, want: []string{long}},
		{name: "length without string", wire: "\x01", err: errTXTForm},
		{name: "cut short", wire: "\x03a=1\x05b=1", err: errTXTForm},
		{name: "most strings", wire: strings.Repeat("\x01a", 64), want: slices.Repeat([]string{"a"}, 64)},
		{name: "too many strings", wire: strings.Repeat("\x01a", 65), err: errTXTSize},
		{name: "too large", wire: strings.Repeat("\x00", 4097), err: errTXTSize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseTXT([]byte(tt.wire))
			if err != tt.err || !slices.Equal(got, tt.want) {
				t.Fatalf("parseTXT = %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestAppendTXTLeavesOutWhatHasNoForm(t *testing.T) {
	got := appendTXT([]byte("-"), []string{"a=1", "", strings.Repeat("x", 256), "b"})
	if string(got) != "-\x03a=1\x01b" {
		t.Fatalf("appendTXT = %q", got)
	}
}

func FuzzParseTXT(f *testing.F) {
	for _, s := range []string{
		"", "\x00", "\x03a=1\x02b=", "\x05", "\xff", "\x03a=1\x00\x00",
		"\x0bnode=Phone1\x0aport=58988\x0etcp_port=55180\x0dversion=1.1.1",
		strings.Repeat("\x01a", 65), "\xff" + strings.Repeat("x", 255),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		list, err := parseTXT(wire)
		if err != nil {
			return
		}
		again, err := parseTXT(appendTXT(nil, list))
		if err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q read as %q, written and read again as %q, %v", wire, list, again, err)
		}
	})
}
