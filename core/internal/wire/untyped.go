package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
)

// Limits of what is read into an any, whose shape the sender alone decides.
const (
	MaxUntypedNesting  = 16   // arrays and maps in each other
	MaxUntypedElements = 1024 // of one array, and pairs of one map

	// MaxGrowth is how many bytes of memory a value may take for each byte of its
	// encoding, and MinGrowth what it may take in any case: a map of one pair
	// is 3 bytes long and takes 400.
	MaxGrowth = 80
	MinGrowth = 112 << 10
)

var (
	errDeep      = fmt.Errorf("wire: untyped data with more than %d levels", MaxUntypedNesting)
	errElements  = fmt.Errorf("wire: untyped data with more than %d elements in one array or map", MaxUntypedElements)
	errGrowth    = fmt.Errorf("wire: untyped data that would take more than %d times its size in memory", MaxGrowth)
	errTag       = errors.New("wire: untyped data with a tag other than that of a bignum")
	errTruncated = errors.New("wire: malformed or truncated CBOR")
)

// isUntyped reports whether v points to an interface, or to a map or slice of them.
func isUntyped(v any) bool {
	t := reflect.TypeOf(v)
	for range 4 { // a pointer type may point to itself
		if t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	if t == nil {
		return false
	}
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		t = t.Elem()
	}
	return t.Kind() == reflect.Interface
}

// checkUntyped checks the item b for the limits of untyped data.
func checkUntyped(b []byte) error {
	u := untyped{rest: b, budget: max(MinGrowth, MaxGrowth*len(b))}
	err := u.item(0)
	if err == nil {
		return nil
	}
	if malformed := decMode.Wellformed(b); malformed != nil {
		return malformed // says more
	}
	return err
}

type untyped struct {
	rest   []byte
	budget int // bytes of memory
}

// Major types (RFC 8949 §3.1).
const (
	cborBytes = 2
	cborText  = 3
	cborArray = 4
	cborMap   = 5
	cborTag   = 6
)

// Memory that values take, in bytes, as measured or a bit above.
const (
	costItem   = 24  // a slot of an array, or of a key or value in a map, and what it points to
	costBig    = 48  // a big.Int
	costArray  = 24  // the head of a slice
	costMap    = 48  // an empty map
	costPairs  = 320 // room for the first pairs of a map
	costPair   = 130 // a pair of a map that has more
	smallPairs = 8
)

// item passes over one item inside depth others.
func (u *untyped) item(depth int) error {
	major, n, rest, ok := head(u.rest)
	if !ok {
		return errTruncated
	}
	u.rest = rest
	switch major {
	case cborBytes, cborText:
		return u.skip(n)
	case cborArray:
		return u.items(n, n, depth+1, costArray)
	case cborMap:
		return u.items(n, 2*n, depth+1, mapCost(n))
	case cborTag:
		return u.bignum(n)
	default:
		return u.pay(costItem)
	}
}

// items passes over the count items of a container of size elements.
func (u *untyped) items(size, count uint64, depth, cost int) error {
	switch {
	case size > MaxUntypedElements:
		return errElements
	case depth > MaxUntypedNesting:
		return errDeep
	}
	if err := u.pay(costItem + cost); err != nil {
		return err
	}
	for range count {
		if err := u.item(depth); err != nil {
			return err
		}
	}
	return nil
}

// skip passes over the bytes of a string.
func (u *untyped) skip(n uint64) error {
	if n > uint64(len(u.rest)) {
		return errTruncated
	}
	u.rest = u.rest[n:]
	return u.pay(costItem + int(n))
}

// bignum passes over what is behind a tag, which must be that of a bignum, and the
// item a byte string.
func (u *untyped) bignum(tag uint64) error {
	if tag != 2 && tag != 3 {
		return errTag
	}
	major, n, rest, ok := head(u.rest)
	if !ok || major != cborBytes {
		return errTag
	}
	u.rest = rest
	if err := u.pay(costBig); err != nil {
		return err
	}
	return u.skip(n)
}

func (u *untyped) pay(cost int) error {
	u.budget -= cost
	if u.budget < 0 {
		return errGrowth
	}
	return nil
}

func mapCost(pairs uint64) int {
	switch {
	case pairs == 0:
		return costMap
	case pairs <= smallPairs:
		return costMap + costPairs
	default:
		return costMap + costPair*int(min(pairs, MaxUntypedElements))
	}
}

// head reads the head of an item of definite length: its major type and argument
// (RFC 8949 §3).
func head(b []byte) (major byte, arg uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, 0, nil, false
	}
	major, info, rest := b[0]>>5, b[0]&0x1f, b[1:]
	if info < 24 {
		return major, uint64(info), rest, true
	}
	size := 1 << (info - 24)
	if info > 27 || len(rest) < size {
		return 0, 0, nil, false
	}
	var wide [8]byte
	copy(wide[8-size:], rest)
	return major, binary.BigEndian.Uint64(wide[:]), rest[size:], true
}
