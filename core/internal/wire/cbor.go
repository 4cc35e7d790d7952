package wire

import (
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// Limits of what is read. An item is checked for them before anything is
// allocated for its contents.
const (
	MaxNesting  = 64      // arrays, maps and tags in each other
	MaxElements = 131_072 // of one array, and pairs of one map
)

var (
	encMode = must(encOptions().EncMode())
	decMode = must(decOptions().DecMode())

	knownMode = must(knownOptions().DecMode())
)

// Marshal gives the CBOR of v: definite lengths, shortest heads, the keys of
// maps sorted, so that equal values give equal bytes. A float keeps the size
// of its Go type; a time is RFC 3339 text; a big.Int too big for 64 bits is a
// bignum.
func Marshal(v any) ([]byte, error) { return encMode.Marshal(v) }

// Unmarshal reads one CBOR item into what v points to. Into an any, integers
// come as int64, or *big.Int where that is too small, maps as map[string]any,
// arrays as []any. Equal keys, indefinite lengths and data behind the item
// are errors; text may hold lone surrogates, three bytes each, as Python's
// can. A map with keys that are not text does not go into an any, but into a
// map[any]any.
//
// Where v points to an interface, or to a map or slice of them, the sender alone
// decides what is made, and the limits of untyped data hold. Of tags only bignums
// go there.
func Unmarshal(b []byte, v any) error {
	if isUntyped(v) {
		if err := checkUntyped(b); err != nil {
			return err
		}
	}
	return decMode.Unmarshal(b, v)
}

// UnmarshalKnown is Unmarshal of a map into a struct that has a field for each key.
func UnmarshalKnown(b []byte, v any) error { return knownMode.Unmarshal(b, v) }

// First takes the first item off a sequence of items. Both parts alias b. An
// empty b gives io.EOF.
func First(b []byte) (first, rest []byte, err error) {
	rest, err = decMode.UnmarshalFirst(b, &skipped{})
	if err != nil {
		return nil, nil, err
	}
	n := len(b) - len(rest)
	return b[:n:n], rest, nil
}

func encOptions() cbor.EncOptions {
	return cbor.EncOptions{
		Sort:          cbor.SortCoreDeterministic,
		ShortestFloat: cbor.ShortestFloatNone,
		NaNConvert:    cbor.NaNConvert7e00,
		InfConvert:    cbor.InfConvertFloat16,
		BigIntConvert: cbor.BigIntConvertShortest,
		Time:          cbor.TimeRFC3339Nano,
		TimeTag:       cbor.EncTagNone,
		IndefLength:   cbor.IndefLengthForbidden,
	}
}

func decOptions() cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		MaxNestedLevels:  MaxNesting,
		MaxArrayElements: MaxElements,
		MaxMapPairs:      MaxElements,
		IntDec:           cbor.IntDecConvertSignedOrBigInt,
		BigIntDec:        cbor.BigIntDecodePointer,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		UTF8:             cbor.UTF8DecodeInvalid,
	}
}

// skipped is an item that is checked and passed over without a copy.
type skipped struct{}

func (*skipped) UnmarshalCBOR([]byte) error { return nil }

// must is for options, which are constant: any error is one of this file.
func must[T any](mode T, err error) T {
	if err != nil {
		panic(err)
	}
	return mode
}

func knownOptions() cbor.DecOptions {
	o := decOptions()
	o.ExtraReturnErrors = cbor.ExtraDecErrorUnknownField
	return o
}
