package wire

import (
	"encoding/binary"
	"errors"
)

var (
	errNoArray  = errors.New("not an array")
	errTrailing = errors.New("data behind the array")
)

// Elements returns the items of the array b, undecoded. They alias b. An empty b
// is an empty array.
func Elements(b []byte) ([][]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	count, rest, err := arrayHead(b)
	if err != nil {
		return nil, err
	}
	if count > uint64(len(rest)) || count > MaxElements { // an item is a byte at least
		return nil, errNoArray
	}
	out := make([][]byte, count)
	for i := range out {
		if out[i], rest, err = First(rest); err != nil {
			return nil, err
		}
	}
	if len(rest) > 0 {
		return nil, errTrailing
	}
	return out, nil
}

// arrayHead reads the head of an array of definite length (RFC 8949 §3).
func arrayHead(b []byte) (count uint64, rest []byte, err error) {
	const array = 4
	if b[0]>>5 != array {
		return 0, nil, errNoArray
	}
	info, rest := b[0]&0x1f, b[1:]
	if info < 24 {
		return uint64(info), rest, nil
	}
	size := 1 << (info - 24)
	if info > 27 || len(rest) < size {
		return 0, nil, errNoArray
	}
	var wide [8]byte
	copy(wide[8-size:], rest)
	return binary.BigEndian.Uint64(wide[:]), rest[size:], nil
}
