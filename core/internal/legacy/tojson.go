package legacy

import (
	"math"
	"math/big"
	"strconv"

	"github.com/x448/float16"
)

// ToJSON appends one CBOR data item as JSON in the dialect. Keys of maps that
// are numbers, booleans or null become strings, as json.dumps makes them. A
// value that JSON has no form for is a [*NotEncodableError].
func ToJSON(dst, cbor []byte) ([]byte, error) {
	w := jsonWriter{src: cbor, dst: dst}
	if err := w.value(0); err != nil {
		return dst, err
	}
	if w.at < len(cbor) {
		return dst, w.fail("data behind the item")
	}
	return w.dst, nil
}

// jsonWriter reads src from at on and writes dst.
type jsonWriter struct {
	src []byte
	at  int
	dst []byte
}

func (w *jsonWriter) fail(reason string) error {
	return &CBORError{Offset: w.at, Reason: reason}
}

// value writes the next item, which stands in depth containers.
func (w *jsonWriter) value(depth int) error {
	h, err := w.head()
	if err != nil {
		return err
	}
	switch h.major {
	case majorArray:
		return w.array(h.arg, depth+1)
	case majorMap:
		return w.object(h.arg, depth+1)
	}
	return w.scalar(h, false)
}

func (w *jsonWriter) head() (head, error) {
	h, n := readHead(w.src[w.at:])
	if n == 0 {
		return h, w.fail("truncated, reserved or indefinite head")
	}
	w.at += n
	return h, nil
}

// array and object trust no count: each item takes a byte of src or fails.
func (w *jsonWriter) array(count uint64, depth int) error {
	if depth > MaxDepth {
		return w.fail("nested too deeply")
	}
	w.dst = append(w.dst, '[')
	for i := range count {
		w.separate(i)
		if err := w.value(depth); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

func (w *jsonWriter) object(count uint64, depth int) error {
	if depth > MaxDepth {
		return w.fail("nested too deeply")
	}
	w.dst = append(w.dst, '{')
	for i := range count {
		w.separate(i)
		if err := w.key(); err != nil {
			return err
		}
		w.dst = append(w.dst, ": "...)
		if err := w.value(depth); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, '}')
	return nil
}

func (w *jsonWriter) separate(i uint64) {
	if i > 0 {
		w.dst = append(w.dst, ", "...)
	}
}

// key writes the next item as a key.
func (w *jsonWriter) key() error {
	h, err := w.head()
	if err != nil {
		return err
	}
	switch h.major {
	case majorText:
		return w.scalar(h, true)
	case majorArray:
		return &NotEncodableError{Type: "list", Key: true}
	case majorMap:
		return &NotEncodableError{Type: "dict", Key: true}
	}
	w.dst = append(w.dst, '"')
	err = w.scalar(h, true)
	w.dst = append(w.dst, '"')
	return err
}

// scalar writes an item that holds no others, whose head has been read.
func (w *jsonWriter) scalar(h head, key bool) error {
	switch h.major {
	case majorUint:
		w.dst = strconv.AppendUint(w.dst, h.arg, 10)
		return nil
	case majorNegInt:
		w.negative(h.arg)
		return nil
	case majorText:
		return w.text(h.arg)
	case majorBytes:
		return &NotEncodableError{Type: "bytes", Key: key}
	case majorTag:
		return w.tagged(h.arg, key)
	}
	return w.simple(h, key)
}

// negative writes -1 - n, which may be just out of the range of int64s.
func (w *jsonWriter) negative(n uint64) {
	if n == math.MaxUint64 {
		w.dst = append(w.dst, "-18446744073709551616"...)
		return
	}
	w.dst = strconv.AppendUint(append(w.dst, '-'), n+1, 10)
}

func (w *jsonWriter) text(length uint64) error {
	s, err := w.take(length)
	if err != nil {
		return err
	}
	if !validWTF8(s) {
		return w.fail("text is not UTF-8")
	}
	w.dst = appendQuoted(w.dst, s)
	return nil
}

// take gives the next bytes of src.
func (w *jsonWriter) take(length uint64) ([]byte, error) {
	if length > uint64(len(w.src)-w.at) {
		return nil, w.fail("truncated string")
	}
	s := w.src[w.at : w.at+int(length)]
	w.at += int(length)
	return s, nil
}

// tagged writes a bignum, the one tag with a form in JSON.
func (w *jsonWriter) tagged(tag uint64, key bool) error {
	if tag != tagPosBignum && tag != tagNegBignum {
		return &NotEncodableError{Type: tagType(tag), Key: key}
	}
	h, err := w.head()
	if err != nil {
		return err
	}
	if h.major != majorBytes {
		return w.fail("bignum is no byte string")
	}
	magnitude, err := w.take(h.arg)
	if err != nil {
		return err
	}
	return w.bignum(magnitude, tag == tagNegBignum)
}

// bignum writes the integer of that magnitude, or -1 less it.
func (w *jsonWriter) bignum(magnitude []byte, negative bool) error {
	n := new(big.Int)
	// Checked before the conversion, which takes quadratic time: 4300 digits
	// are 14285 bits.
	if n.SetBytes(magnitude).BitLen() > 14285 {
		return w.fail("integer of more than 4300 digits")
	}
	if negative {
		n.Not(n)
	}
	start := len(w.dst)
	w.dst = n.Append(w.dst, 10)
	if len(w.dst)-start > maxDigits+1 || !negative && len(w.dst)-start > maxDigits {
		return w.fail("integer of more than 4300 digits")
	}
	return nil
}

// simple writes a simple value or a float.
func (w *jsonWriter) simple(h head, key bool) error {
	switch h.info {
	case simpleFalse:
		w.dst = append(w.dst, litFalse...)
	case simpleTrue:
		w.dst = append(w.dst, litTrue...)
	case simpleNull:
		w.dst = append(w.dst, litNull...)
	case simpleUndefined:
		return &NotEncodableError{Type: "undefined", Key: key}
	case info16:
		w.dst = appendFloat(w.dst, float64(float16.Frombits(uint16(h.arg)).Float32()))
	case info32:
		w.dst = appendFloat(w.dst, float64(math.Float32frombits(uint32(h.arg))))
	case info64:
		w.dst = appendFloat(w.dst, math.Float64frombits(h.arg))
	default:
		return &NotEncodableError{Type: "CBORSimpleValue", Key: key}
	}
	return nil
}

// tagType names what a tag stands for, after the Python type where there is
// one. Numbers are those of the IANA registry of CBOR tags.
func tagType(tag uint64) string {
	switch tag {
	case 0, 1:
		return "datetime"
	case 4:
		return "Decimal"
	case 37:
		return "UUID"
	case 258:
		return "set"
	}
	return "CBOR tag " + strconv.FormatUint(tag, 10)
}
