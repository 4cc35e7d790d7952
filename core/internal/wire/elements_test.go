package wire

import (
	"bytes"
	"testing"
)

func TestElements(t *testing.T) {
	long := make([]any, 300)
	for i := range long {
		long[i] = i
	}
	for _, list := range [][]any{{}, {1}, {"x", 2.5, nil, []any{1, 2}, map[string]any{"k": "v"}}, long} {
		b, err := Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Elements(b)
		if err != nil || len(got) != len(list) {
			t.Fatalf("%d elements of %d, %v", len(got), len(list), err)
		}
		for i, v := range list {
			if want, _ := Marshal(v); !bytes.Equal(got[i], want) {
				t.Errorf("element %d is %x, want %x", i, got[i], want)
			}
		}
		for cut := 1; cut < len(b); cut++ {
			if _, err := Elements(b[:cut]); err == nil {
				t.Fatalf("cut at %d of %d: no error", cut, len(b))
			}
		}
	}
	for name, b := range map[string][]byte{
		"a map":             {0xa0},
		"a number":          {0x01},
		"indefinite length": {0x9f, 0x01, 0xff},
		"huge":              {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"reserved":          {0x9c},
		"something behind":  {0x81, 0x01, 0x02},
	} {
		if got, err := Elements(b); err == nil {
			t.Errorf("%s: %x", name, got)
		}
	}
	if got, err := Elements(nil); got != nil || err != nil {
		t.Errorf("nothing: %x, %v", got, err)
	}
}

func FuzzElements(f *testing.F) {
	f.Add([]byte{0x82, 0x01, 0x02})
	f.Add([]byte{0x98, 0x18, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := Elements(b)
		if err != nil {
			return
		}
		size := 0
		for _, item := range items {
			size += len(item)
		}
		if size > len(b) {
			t.Errorf("%d bytes of items in %d bytes", size, len(b))
		}
	})
}
