package peerlink

import (
	"fmt"

	"github.com/peerlink/peerlink/core/internal/legacy"
	"github.com/peerlink/peerlink/core/internal/wire"
)

// A Codec is how the bytes of a Payload are encoded.
type Codec uint8

const (
	JSON Codec = iota + 1 // RFC 8259, and the numbers NaN, Infinity and -Infinity
	CBOR                  // RFC 8949
)

// A Payload is encoded arguments, or an encoded result. Nothing between the two
// ends decodes it.
//
// Arguments are the array of the positional ones, followed, if there are keyword
// arguments, by one map of them: [25, 17] or [25, 17]{"scale": 2}; in CBOR that is
// a CBOR sequence (RFC 8742). A result is one value. No bytes at all are no
// arguments, or a null result.
type Payload struct {
	Codec Codec
	Bytes []byte
}

// Convert returns p in codec c; p itself, unchecked, if it is in c already. It fails with
// ErrInvalid if p is no valid encoding, or holds what c cannot express: JSON has
// no byte strings.
func (p Payload) Convert(c Codec) (Payload, error) {
	if p.Codec == c {
		return p, nil
	}
	// JSON of what was CBOR is longer by quotes and separators, seldom by more.
	out := Payload{Codec: c, Bytes: make([]byte, 0, len(p.Bytes)+len(p.Bytes)/4+16)}
	for rest := p.Bytes; len(rest) > 0; {
		first, more, err := p.split(rest)
		if err == nil {
			out.Bytes, err = convertValue(out.Bytes, first, c)
		}
		if err != nil {
			return Payload{}, &Error{Code: CodeInvalid, Op: "convert payload", Err: err}
		}
		rest = more
	}
	return out, nil
}

func convertValue(dst, value []byte, to Codec) ([]byte, error) {
	switch to {
	case JSON:
		return legacy.ToJSON(dst, value)
	case CBOR:
		return legacy.ToCBOR(dst, value)
	default:
		return nil, fmt.Errorf("no codec %d", to)
	}
}

// split returns the first value of b.
func (p Payload) split(b []byte) (first, rest []byte, err error) {
	switch p.Codec {
	case JSON:
		return legacy.SplitJSON(b)
	case CBOR:
		return wire.First(b)
	default:
		return nil, nil, fmt.Errorf("no codec %d", p.Codec)
	}
}

// arguments splits a request payload into its array and its map, which is nil if
// there are no keyword arguments.
func (p Payload) arguments() (args, kwargs []byte, err error) {
	if len(p.Bytes) == 0 {
		return nil, nil, nil
	}
	args, rest, err := p.split(p.Bytes)
	if err == nil && len(rest) > 0 {
		kwargs, rest, err = p.split(rest)
	}
	switch {
	case err != nil:
		return nil, nil, err
	case len(rest) > 0:
		return nil, nil, fmt.Errorf("%d bytes behind the keyword arguments", len(rest))
	case !p.is(args, '[', 4):
		return nil, nil, fmt.Errorf("arguments are not an array")
	case kwargs != nil && !p.is(kwargs, '{', 5):
		return nil, nil, fmt.Errorf("keyword arguments are not a map")
	}
	return args, kwargs, nil
}

// is reports whether a value is of a kind: the first character in JSON, the major
// type in CBOR (RFC 8949 §3.1).
func (p Payload) is(value []byte, json byte, cborMajor byte) bool {
	if len(value) == 0 {
		return false
	}
	if p.Codec == JSON {
		return value[0] == json
	}
	return value[0]>>5 == cborMajor
}
