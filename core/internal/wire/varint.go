package wire

import "encoding/binary"

// MaxVarint is the largest value of a variable-length integer (RFC 9000 §16).
const MaxVarint = 1<<62 - 1

// AppendVarint appends v in its shortest form. A v above MaxVarint is written as
// MaxVarint.
func AppendVarint(b []byte, v uint64) []byte {
	if v < 1<<6 {
		return append(b, byte(v))
	}
	return appendLong(b, v)
}

func appendLong(b []byte, v uint64) []byte {
	switch {
	case v < 1<<14:
		return append(b, 0x40|byte(v>>8), byte(v))
	case v < 1<<30:
		return binary.BigEndian.AppendUint32(b, 2<<30|uint32(v))
	default:
		return binary.BigEndian.AppendUint64(b, 3<<62|min(v, MaxVarint))
	}
}

// Varint reads the integer at the start of b, in any of its forms.
func Varint(b []byte) (v uint64, rest []byte, ok bool) {
	v, rest = varint(b)
	return v, rest, rest != nil
}

// varint is Varint for those who read several: it is not ok if rest is nil, and
// of nil it makes nil, so that one check behind the last is enough.
func varint(b []byte) (v uint64, rest []byte) {
	if len(b) == 0 {
		return 0, nil
	}
	first := b[0]
	if first < 1<<6 {
		return uint64(first), b[1:]
	}
	size := 1 << (first >> 6)
	if len(b) < size {
		return 0, nil
	}
	switch size {
	case 2:
		v = uint64(binary.BigEndian.Uint16(b)) & (1<<14 - 1)
	case 4:
		v = uint64(binary.BigEndian.Uint32(b)) & (1<<30 - 1)
	default:
		v = binary.BigEndian.Uint64(b) & MaxVarint
	}
	return v, b[size:]
}

// u8 is varint for a byte.
func u8(b []byte) (v uint8, rest []byte) {
	if len(b) == 0 {
		return 0, nil
	}
	return b[0], b[1:]
}

// take is varint for n bytes. None of nothing is nil, too.
func take(b []byte, n uint64) (v, rest []byte) {
	if n > uint64(len(b)) {
		return nil, nil
	}
	return b[:n:n], b[n:]
}

// varintLen is the length of what AppendVarint appends.
func varintLen(v uint64) int {
	switch {
	case v < 1<<6:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<30:
		return 4
	default:
		return 8
	}
}
