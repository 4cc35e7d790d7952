package wire

import "errors"

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
	major, count, rest, ok := head(b)
	if !ok || major != cborArray {
		return nil, errNoArray
	}
	if count > uint64(len(rest)) || count > MaxElements { // an item is a byte at least
		return nil, errNoArray
	}
	var err error
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
