package wire

import "github.com/fxamacker/cbor/v2"

// Elements returns the items of the array b, undecoded. An empty b is an empty
// array.
func Elements(b []byte) ([][]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var raw []cbor.RawMessage
	if err := decMode.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	out := make([][]byte, len(raw))
	for i, r := range raw {
		out[i] = r
	}
	return out, nil
}
