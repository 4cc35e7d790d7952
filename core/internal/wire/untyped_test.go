package wire

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"runtime"
	"testing"
)

// What a datagram may cost, and how large the ones in these tests are at most.
const (
	maxDatagramMemory = 128 << 10
	bombSize          = 1500
)

// bombs are small items that are meant to become large ones.
func bombs() map[string][]byte {
	all := map[string][]byte{
		"deep arrays":        append(bytes.Repeat([]byte{0x81}, bombSize-1), 0xf6),
		"deep maps":          append(bytes.Repeat([]byte{0xa1, 0x60}, bombSize/2-1), 0xf6),
		"deep tags":          append(bytes.Repeat([]byte{0xc2}, bombSize-1), 0x40),
		"huge array":         {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"large array":        {0x9a, 0, 1, 0xff, 0xff},
		"huge map":           {0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"large map":          {0xba, 0, 1, 0xff, 0xff},
		"huge bytes":         {0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"large bytes":        {0x5a, 0x3f, 0xff, 0xff, 0xff},
		"huge text":          {0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"huge arrays deep":   bytes.Repeat([]byte{0x9a, 0, 1, 0xff, 0xff}, 16),
		"arrays in each":     bytes.Repeat([]byte{0x99, 4, 0}, bombSize/3),
		"equal keys":         append([]byte{0xb9, 1, 0xf3}, bytes.Repeat([]byte{0x60, 0xf6}, 499)...),
		"indefinite array":   append(append([]byte{0x9f}, bytes.Repeat([]byte{0xa0}, bombSize-2)...), 0xff),
		"indefinite map":     {0xbf, 0x60, 0xf6, 0xff},
		"indefinite bytes":   append(append([]byte{0x5f}, bytes.Repeat([]byte{0x41, 1}, 700)...), 0xff),
		"indefinite arrays":  bytes.Repeat([]byte{0x9f}, bombSize),
		"tag of time":        {0xc1, 0},
		"tag of time, text":  append([]byte{0xc0, 0x74}, "2026-01-02T03:04:05Z"...),
		"tag of CBOR itself": {0xd9, 0xd9, 0xf7, 0},
		"tag unknown":        {0xd8, 99, 0},
		"bignum of a number": {0xc2, 0},
		"bignum of a bignum": {0xc2, 0xc2, 0x41, 1},
		"bad head 28":        {0x9c},
		"bad head 30":        {0x1e, 0, 0},
		"break":              {0xff},
		"truncated head":     {0x99, 1},
		"truncated text":     {0x62, 'a'},
		"two items":          {0, 0},
		"nothing":            {},
		"empty maps":         arrayOf([]byte{0xa0}, bombSize-3),
	}
	for name, b := range dense() {
		all[name] = b
	}
	return all
}

// dense are arrays of as many of what takes most as there is room for.
func dense() map[string][]byte {
	return map[string][]byte{
		"maps of empty maps":     arrayOf([]byte{0xa1, 0x60, 0xa0}, 374),
		"maps of one pair":       arrayOf([]byte{0xa1, 0x60, 0xf6}, 499),
		"maps of maps":           arrayOf(append(bytes.Repeat([]byte{0xa1, 0x60}, 13), 0xa0), 55),
		"arrays of empty maps":   arrayOf(arrayOf([]byte{0xa0}, 71), 20),
		"maps of 9 pairs":        arrayOf(mapOf(9), 49),
		"maps of 33 pairs":       arrayOf(mapOf(33), 14),
		"a map of very many":     mapOf(374),
		"arrays of empty arrays": arrayOf(arrayOf([]byte{0x80}, 71), 20),
		"arrays of arrays":       arrayOf(append(bytes.Repeat([]byte{0x81}, 14), 0x80), 99),
		"bignums":                arrayOf([]byte{0xc2, 0x40}, 748),
	}
}

func arrayOf(item []byte, n int) []byte {
	return append([]byte{0x99, byte(n >> 8), byte(n)}, bytes.Repeat(item, n)...)
}

// mapOf is a map of keys that differ, as short as they can be.
func mapOf(pairs int) []byte {
	b := []byte{0xb9, byte(pairs >> 8), byte(pairs)}
	for i := range pairs {
		if pairs <= 128 {
			b = append(b, 0x61, byte(i), 0xf6)
		} else {
			b = append(b, 0x62, byte(i)&0x7f, byte(i>>7), 0xf6)
		}
	}
	return b
}

func TestBombs(t *testing.T) {
	fine := dense()
	for name, b := range bombs() {
		if len(b) > bombSize {
			t.Fatalf("%s: %d bytes", name, len(b))
		}
		for into, v := range map[string]any{"any": new(any), "map": new(map[string]any), "slice": new([]any)} {
			var err error
			if n := memory(func() { err = Unmarshal(b, v) }); n > maxDatagramMemory {
				t.Errorf("%s into %s: %d bytes for %d, %v", name, into, n, len(b), err)
			}
			if _, ok := fine[name]; !ok && err == nil {
				t.Errorf("%s into %s: no error", name, into)
			}
		}
	}
}

// No item of the size of a datagram takes more than it may, whatever it is made of.
func TestUntypedMemory(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	most, decoded := uint64(0), 0
	for range 600 {
		g := generator{rnd: rnd, room: bombSize - 20, kinds: 1 + rnd.IntN(6)}
		b := g.item(nil, 0)
		var err error
		n := memory(func() { var v any; err = Unmarshal(b, &v) })
		if n > maxDatagramMemory {
			t.Fatalf("%d bytes for %d, %v: %x", n, len(b), err, b)
		}
		if err == nil {
			decoded++
			most = max(most, n)
		}
	}
	if decoded < 300 || most < 30_000 {
		t.Errorf("%d items were read, of at most %d bytes", decoded, most)
	}
}

// Up to the very limit.
func TestUntypedMemoryOfMaps(t *testing.T) {
	read := 0
	for n := 200; n < 400; n += 5 {
		b := arrayOf([]byte{0xa1, 0x60, 0xf6}, n)
		var err error
		if m := memory(func() { var v any; err = Unmarshal(b, &v) }); m > maxDatagramMemory {
			t.Errorf("%d maps take %d bytes", n, m)
		}
		if err == nil {
			read = n
		}
	}
	if read < 250 || read > 330 {
		t.Errorf("up to %d maps were read", read)
	}
}

// A generator makes items out of some of the kinds, until there is no more room.
type generator struct {
	rnd         *rand.Rand
	room, kinds int
}

func (g *generator) item(b []byte, depth int) []byte {
	if depth == 0 { // otherwise most would be tiny
		return g.items(append(b, 0x98, 200), 200, depth)
	}
	g.room -= 2
	if depth >= MaxUntypedNesting || g.room < 3 {
		return append(b, 0xf6)
	}
	switch g.rnd.IntN(g.kinds) {
	case 0:
		n := g.rnd.IntN(4)
		if g.rnd.IntN(4) == 0 { // beyond what fits in the first room of a map
			n *= 4
		}
		return g.pairs(append(b, 0xa0|byte(n)), n, depth)
	case 1:
		n := g.rnd.IntN(3)
		return g.items(append(b, 0x80|byte(n)), n, depth)
	case 2:
		return append(b, 0xc2, 0x41, byte(g.rnd.Uint32()))
	case 3:
		return append(b, 0xa0)
	case 4:
		return append(b, 0x61, 'a')
	default:
		return append(b, 0xf6)
	}
}

func (g *generator) items(b []byte, n, depth int) []byte {
	for range n {
		b = g.item(b, depth+1)
	}
	return b
}

func (g *generator) pairs(b []byte, n, depth int) []byte {
	for i := range n {
		g.room -= 2
		b = append(b, 0x61, 'a'+byte(i))
		b = g.item(b, depth+1)
	}
	return b
}

// memory is what f allocates, in bytes. Others may allocate at the same time: it
// is the least of several runs.
func memory(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

func TestUntypedLimits(t *testing.T) {
	nested := func(n int) []byte { return append(bytes.Repeat([]byte{0x81}, n), 0xf6) }
	for name, c := range map[string]struct {
		b  []byte
		ok bool
	}{
		"levels":           {nested(MaxUntypedNesting), true},
		"a level more":     {nested(MaxUntypedNesting + 1), false},
		"elements":         {arrayOf([]byte{1}, MaxUntypedElements), true},
		"an element more":  {arrayOf([]byte{1}, MaxUntypedElements+1), false},
		"pairs":            {mapOf(MaxUntypedElements), true},
		"a pair more":      {mapOf(MaxUntypedElements + 1), false},
		"a large bignum":   {append([]byte{0xc3, 0x59, 4, 0}, pattern(1024, 1)...), true},
		"a bignum as deep": {append(bytes.Repeat([]byte{0x81}, MaxUntypedNesting), 0xc2, 0x41, 1), true},
	} {
		var v any
		if err := Unmarshal(c.b, &v); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The other end may well send many small maps, if not as small as can be.
func TestUntypedOfManyMaps(t *testing.T) {
	list := make([]map[string]int, 1000)
	for i := range list {
		list[i] = map[string]int{"id": i, "n": 2 * i}
	}
	b, err := Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	var v []any
	if err := Unmarshal(b, &v); err != nil || len(v) != len(list) {
		t.Errorf("%d, %v", len(v), err)
	}
}

// A type of the receiver's own bounds what can become of data.
func TestTypedIsNotLimited(t *testing.T) {
	many := make([]int, 5000)
	b, err := Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	if err := Unmarshal(b, &got); err != nil || len(got) != len(many) {
		t.Errorf("%d, %v", len(got), err)
	}
}

func TestIsUntyped(t *testing.T) {
	type self *self
	for _, c := range []struct {
		v    any
		want bool
	}{
		{nil, false}, {new(any), true}, {new(*any), true}, {new(map[string]any), true}, {new([]any), true},
		{new([2]any), true}, {new(map[any]any), true}, {new(error), true},
		{new(int), false}, {new([]int), false}, {new(struct{ V any }), false}, {new(self), false}, {new(big.Int), false},
	} {
		if got := isUntyped(c.v); got != c.want {
			t.Errorf("%T: %v", c.v, got)
		}
	}
}

func TestHead(t *testing.T) {
	for in, want := range map[string]struct {
		major byte
		arg   uint64
		rest  int
	}{
		"00": {0, 0, 0}, "17ff": {0, 23, 1}, "1818": {0, 24, 0}, "590100": {2, 256, 0},
		"9a00010000": {4, 65536, 0}, "dbffffffffffffffff00": {6, 1<<64 - 1, 1}, "fa00000001": {7, 1, 0},
	} {
		b := unhex(t, in)
		if major, arg, rest, ok := head(b); !ok || major != want.major || arg != want.arg || len(rest) != want.rest {
			t.Errorf("%s: %d, %d, %x, %v", in, major, arg, rest, ok)
		}
		for cut := range len(b) - want.rest {
			if _, _, _, ok := head(b[:cut]); ok {
				t.Errorf("%s cut at %d: no error", in, cut)
			}
		}
	}
}
