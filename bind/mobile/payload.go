package peerlink

import core "github.com/peerlink/peerlink/core"

// EncodeJSON returns the CBOR of a JSON value, or of arguments: an array and, if
// there are keyword arguments, an object behind it, as in [25,17]{"scale":2}.
func EncodeJSON(json string) (cbor []byte, err error) {
	defer export("encode", &err)
	return convert(core.Payload{Codec: core.JSON, Bytes: []byte(json)}, core.CBOR)
}

// DecodeJSON returns the JSON of a CBOR value, or of arguments. It fails for what
// JSON cannot say, such as a map whose keys are not strings.
func DecodeJSON(cbor []byte) (json string, err error) {
	defer export("decode", &err)
	b, err := convert(core.Payload{Codec: core.CBOR, Bytes: cbor}, core.JSON)
	return string(b), err
}

func convert(p core.Payload, to core.Codec) ([]byte, error) {
	p, err := p.Convert(to)
	if err == nil && len(p.Bytes) == 0 {
		err = invalid("convert payload", "there is no value")
	}
	return p.Bytes, err
}

// payload copies cbor, which belongs to the caller's language. Empty stands for
// the value that ifEmpty encodes.
func payload(cbor []byte, ifEmpty byte) core.Payload {
	if len(cbor) == 0 {
		return core.Payload{Codec: core.CBOR, Bytes: []byte{ifEmpty}}
	}
	return core.Payload{Codec: core.CBOR, Bytes: append([]byte(nil), cbor...)}
}

// Single-byte CBOR values.
const (
	emptyArray = 0x80
	null       = 0xf6
)
