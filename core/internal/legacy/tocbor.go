package legacy

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
)

// ToCBOR appends one value of the dialect as CBOR: shortest heads, definite
// lengths, keys in their order. Integers beyond 64 bits become bignums, floats
// 64-bit floats (NaN and infinities 16-bit), lone surrogates WTF-8. Of equal
// keys the last value counts, in the first one's place, as in a dict.
func ToCBOR(dst, json []byte) ([]byte, error) {
	w := cborWriter{src: json, dst: dst}
	end, err := w.value(skipSpace(json, 0), 0)
	if err != nil {
		return dst, err
	}
	if end = skipSpace(json, end); end < len(json) {
		return dst, syntax(end, "data behind the value")
	}
	return w.dst, nil
}

// cborWriter reads src and writes dst. members is a stack of the members of
// the objects that are open.
type cborWriter struct {
	src     []byte
	dst     []byte
	members []member
}

// member holds offsets into dst.
type member struct{ key, value, end int }

// value writes the value that starts at src[i], inside depth containers.
func (w *cborWriter) value(i, depth int) (int, error) {
	if i < len(w.src) && w.src[i] == '[' {
		return w.array(i, depth+1)
	}
	if i < len(w.src) && w.src[i] == '{' {
		return w.object(i, depth+1)
	}
	end, err := skipValue(w.src, i, depth)
	if err == nil {
		w.scalar(w.src[i:end])
	}
	return end, err
}

func (w *cborWriter) array(i, depth int) (int, error) {
	start := w.open(majorArray)
	count := 0
	i, done, err := firstItem(w.src, i, depth, ']')
	for err == nil && !done {
		count++
		if i, err = w.value(i, depth); err == nil {
			i, done, err = nextItem(w.src, i, ']')
		}
	}
	w.setCount(start, majorArray, count)
	return i, err
}

func (w *cborWriter) object(i, depth int) (int, error) {
	start, base := w.open(majorMap), len(w.members)
	i, done, err := firstItem(w.src, i, depth, '}')
	for err == nil && !done {
		if i, err = w.member(i, depth); err == nil {
			i, done, err = nextItem(w.src, i, '}')
		}
	}
	w.setCount(start, majorMap, w.dedupe(w.members[base:]))
	w.members = w.members[:base]
	return i, err
}

// member writes the key at src[i] and its value, and notes them.
func (w *cborWriter) member(i, depth int) (int, error) {
	end, value, err := skipKey(w.src, i)
	if err != nil {
		return end, err
	}
	m := member{key: len(w.dst)}
	w.text(w.src[i+1 : end-1])
	m.value = len(w.dst)
	end, err = w.value(value, depth)
	m.end = len(w.dst)
	w.members = append(w.members, m)
	return end, err
}

// open leaves a byte for the head of an item whose count comes later.
func (w *cborWriter) open(major byte) int {
	w.dst = append(w.dst, major<<5)
	return len(w.dst) - 1
}

// setCount writes the head of the item opened at start, making room for it
// if it is longer than a byte.
func (w *cborWriter) setCount(start int, major byte, count int) {
	var room [9]byte
	head := appendHead(room[:0], major, uint64(count))
	w.dst[start] = head[0]
	w.dst = slices.Insert(w.dst, start+1, head[1:]...)
}

// scalar writes a string, a literal or a number that has been scanned.
func (w *cborWriter) scalar(raw []byte) {
	switch string(raw) {
	case litNull:
		w.dst = appendHead(w.dst, majorSimple, simpleNull)
	case litTrue:
		w.dst = appendHead(w.dst, majorSimple, simpleTrue)
	case litFalse:
		w.dst = appendHead(w.dst, majorSimple, simpleFalse)
	case litNaN:
		w.float(math.NaN())
	case litInf:
		w.float(math.Inf(1))
	case litNegInf:
		w.float(math.Inf(-1))
	default:
		w.stringOrNumber(raw)
	}
}

func (w *cborWriter) stringOrNumber(raw []byte) {
	if raw[0] == '"' {
		w.text(raw[1 : len(raw)-1])
		return
	}
	if _, digits := number(raw); digits > 0 {
		w.integer(raw, digits)
		return
	}
	w.float(parseFloat(raw))
}

// text writes the inside of a JSON string.
func (w *cborWriter) text(inside []byte) {
	if plain(inside) {
		w.dst = appendHead(w.dst, majorText, uint64(len(inside)))
		w.dst = append(w.dst, inside...)
		return
	}
	start := w.open(majorText)
	w.dst = appendText(w.dst, inside)
	w.setCount(start, majorText, len(w.dst)-start-1)
}

// integer writes a literal of that many digits.
func (w *cborWriter) integer(raw []byte, digits int) {
	if digits > 19 { // may not fit into 64 bits
		w.bigInteger(raw)
		return
	}
	var n uint64
	for _, c := range raw[len(raw)-digits:] {
		n = n*10 + uint64(c-'0')
	}
	if raw[0] == '-' && n > 0 { // Python has no -0
		w.dst = appendHead(w.dst, majorNegInt, n-1)
		return
	}
	w.dst = appendHead(w.dst, majorUint, n)
}

// bigInteger writes a bignum, or what fits into 64 bits as that: RFC 8949
// section 3.4.3 wants the shorter form.
func (w *cborWriter) bigInteger(raw []byte) {
	n, _ := new(big.Int).SetString(string(raw), 10) // scanned: cannot fail
	major, tag := byte(majorUint), uint64(tagPosBignum)
	if n.Sign() < 0 {
		n.Not(n)
		major, tag = majorNegInt, tagNegBignum
	}
	if n.IsUint64() {
		w.dst = appendHead(w.dst, major, n.Uint64())
		return
	}
	magnitude := n.Bytes()
	w.dst = appendHead(w.dst, majorTag, tag)
	w.dst = appendHead(w.dst, majorBytes, uint64(len(magnitude)))
	w.dst = append(w.dst, magnitude...)
}

// float writes 64 bits, but for what has a canonical 16-bit form (RFC 8949
// section 4.2.2).
func (w *cborWriter) float(f float64) {
	const half, double = majorSimple<<5 | info16, majorSimple<<5 | info64
	switch {
	case f != f:
		w.dst = append(w.dst, half, 0x7E, 0)
	case math.IsInf(f, 1):
		w.dst = append(w.dst, half, 0x7C, 0)
	case math.IsInf(f, -1):
		w.dst = append(w.dst, half, 0xFC, 0)
	default:
		w.dst = binary.BigEndian.AppendUint64(append(w.dst, double), math.Float64bits(f))
	}
}
