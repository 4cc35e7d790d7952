package legacy

// Call is a request to be written.
type Call struct {
	ID   string // unique to the call: a UUID in 1.1.1
	Src  string // the caller's name
	Dst  string // the target as the user typed it
	Func string

	// Args is a JSON array and Kwargs an object in the dialect, as [ToJSON]
	// and [Normalize] write them. They are copied, not checked. nil is [], {}.
	Args   []byte
	Kwargs []byte
}

// AppendRequest appends the datagram of a call. One over [MaxPayload] is a
// [*TooLargeError], and dst is returned as it was.
func AppendRequest(dst []byte, c Call) ([]byte, error) {
	start := len(dst)
	b := append(dst, `{"type": "request", "id": `...)
	b = appendQuoted(b, c.ID)
	b = appendQuoted(append(b, `, "src": `...), c.Src)
	b = appendQuoted(append(b, `, "dst": `...), c.Dst)
	b = appendQuoted(append(b, `, "rpc": `...), c.Func)
	b = append(append(b, `, "args": `...), orElse(c.Args, emptyArray)...)
	b = append(append(b, `, "kwargs": `...), orElse(c.Kwargs, emptyObject)...)
	b = append(b, '}')
	if size := len(b) - start; size > MaxPayload {
		return dst, &TooLargeError{What: "RPC request", Size: size, Limit: MaxPayload}
	}
	return b, nil
}

// orElse gives raw, or fallback if there is none.
func orElse(raw, fallback []byte) []byte {
	if len(raw) == 0 {
		return fallback
	}
	return raw
}
