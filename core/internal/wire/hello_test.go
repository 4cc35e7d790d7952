package wire

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func testHello() Hello {
	return Hello{
		Session: 0x01020304, Suites: SuiteChaCha, ID: [16]byte(pattern(16, 0x20)), Name: "Küche",
		Software: "peerlink 2.0.0", TCPPort: 7400, MaxMessage: 64 << 20, MaxDatagram: 1452, Versions: []uint8{1, 2},
	}
}

func shortestHello() Hello {
	return Hello{
		Session: 1, Suites: SuiteChaCha, Name: "a", MaxMessage: DefaultMessage, MaxDatagram: MaxDatagram, Versions: []uint8{1},
	}
}

func longestHello() Hello {
	h := testHello()
	h.Name, h.Software = strings.Repeat("n", 63), strings.Repeat("s", 32)
	h.MaxMessage, h.Versions = MaxVarint, pattern(MaxVersions, 1)
	return h
}

func TestHello(t *testing.T) {
	for name, h := range map[string]Hello{"usual": testHello(), "shortest": shortestHello(), "longest": longestHello()} {
		b := h.Append(nil)
		got, err := ParseHello(b)
		if err != nil || !reflect.DeepEqual(got, h) || len(b) > MaxHello {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, h)
		}
		for cut := range b {
			if got, err := ParseHello(b[:cut]); err == nil {
				t.Errorf("%s cut at %d: %+v", name, cut, got)
			}
		}
	}
	h := shortestHello()
	if n := len(h.Append(nil)); n != minHello {
		t.Errorf("the shortest has %d bytes", n)
	}
}

func TestHelloSkips(t *testing.T) {
	h := testHello()
	for name, item := range map[string][]byte{
		"type 0":                  {0, 1, 9},
		"type 8":                  {8, 0},
		"type 64":                 {0x40, 64, 1, 9},
		"the same unknown twice":  {8, 0, 8, 0},
		"a type of 8 bytes":       {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0},
		"up to 256 bytes in all":  append([]byte{11, 0x40, byte(MaxHello - len(h.Append(nil)) - 3)}, make([]byte, MaxHello-len(h.Append(nil))-3)...),
		"a length of 4 bytes":     {11, 0x80, 0, 0, 1, 9},
		"type 63, 1 more than 62": {63, 0},
	} {
		for _, b := range [][]byte{append(h.Append(nil), item...), h.Append(bytes.Clone(item))} {
			if got, err := ParseHello(b); err != nil || !reflect.DeepEqual(got, h) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
}

func TestHelloRefused(t *testing.T) {
	for name, b := range invalidHellos() {
		if h, err := ParseHello(b); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func FuzzHello(f *testing.F) {
	for _, h := range []Hello{testHello(), shortestHello(), longestHello()} {
		f.Add(h.Append(nil))
	}
	for _, b := range invalidHellos() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHello(b)
		if err != nil {
			return
		}
		again, err := ParseHello(h.Append(nil))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Fatalf("%+v, %v, want %+v", again, err, h)
		}
	})
}

// helloItems are the items of the shortest HELLO by type.
func helloItems() map[byte][]byte {
	return map[byte][]byte{
		itemSession: {1, 4, 1, 2, 3, 4}, itemSuites: {2, 1, 2}, itemID: append([]byte{3, 16}, pattern(16, 0x20)...),
		itemName: {4, 1, 'a'}, itemVersions: {10, 1, 1},
	}
}

// helloWith is the shortest HELLO but for the item of that type, and something behind.
func helloWith(item byte, instead []byte, behind ...byte) []byte {
	var b []byte
	for _, typ := range []byte{itemSession, itemSuites, itemID, itemName, itemVersions} {
		if typ == item {
			b = append(b, instead...)
		} else {
			b = append(b, helloItems()[typ]...)
		}
	}
	return append(b, behind...)
}

func invalidHellos() map[string][]byte {
	all := map[string][]byte{
		"empty":                       {},
		"name of 0 bytes":             helloWith(itemName, []byte{4, 0}),
		"name of 64 bytes":            helloWith(itemName, append([]byte{4, 0x40, 64}, bytes.Repeat([]byte{'a'}, 64)...)),
		"name that is no UTF-8":       helloWith(itemName, []byte{4, 2, 'a', 0xff}),
		"session of zero":             helloWith(itemSession, []byte{1, 4, 0, 0, 0, 0}),
		"session of 3 bytes":          helloWith(itemSession, []byte{1, 3, 1, 2, 3}),
		"session of 5 bytes":          helloWith(itemSession, []byte{1, 5, 1, 2, 3, 4, 5}),
		"suites of 2 bytes":           helloWith(itemSuites, []byte{2, 2, 2, 2}),
		"suites of 0 bytes":           helloWith(itemSuites, []byte{2, 0}),
		"instance ID of 15 bytes":     helloWith(itemID, append([]byte{3, 15}, pattern(15, 1)...)),
		"no versions":                 helloWith(itemVersions, []byte{10, 0}),
		"33 versions":                 helloWith(itemVersions, append([]byte{10, 33}, pattern(33, 1)...)),
		"software of 33 bytes":        helloWith(0, nil, append([]byte{5, 33}, bytes.Repeat([]byte{'a'}, 33)...)...),
		"software that is no UTF-8":   helloWith(0, nil, 5, 1, 0x80),
		"TCP port of 1 byte":          helloWith(0, nil, 6, 1, 1),
		"TCP port of 3 bytes":         helloWith(0, nil, 6, 3, 1, 1, 1),
		"message of 0 bytes":          helloWith(0, nil, 7, 0),
		"message longer than varint":  helloWith(0, nil, 7, 2, 1, 1),
		"message shorter than varint": helloWith(0, nil, 7, 1, 0x40),
		"message of 9 bytes":          helloWith(0, nil, append([]byte{7, 9}, pattern(9, 0xc0)...)...),
		"datagram of 1 byte":          helloWith(0, nil, 9, 1, 1),
		"datagram of 3 bytes":         helloWith(0, nil, 9, 3, 1, 1, 1),
		"257 bytes":                   helloWith(0, nil, append([]byte{11, 0x40, 257 - minHello - 3}, make([]byte, 257-minHello-3)...)...),
		"type without a length":       helloWith(0, nil, 11),
		"item beyond the end":         helloWith(0, nil, 11, 2, 0),
		"length beyond all":           helloWith(0, nil, 11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"TCP port twice":              helloWith(0, nil, 6, 2, 1, 1, 6, 2, 1, 1),
		"software twice":              helloWith(0, nil, 5, 0, 5, 0),
	}
	for typ, item := range helloItems() {
		name := []string{itemSession: "session", itemSuites: "suites", itemID: "instance ID", itemName: "name", itemVersions: "versions"}[typ]
		all[name+" missing"] = helloWith(typ, nil)
		all[name+" twice"] = helloWith(0, nil, item...)
	}
	return all
}
