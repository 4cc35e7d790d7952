package wire

import "unicode/utf8"

// MaxName is the longest name of a function, in bytes.
const MaxName = 255

// A Call asks the receiver to run a function (§9.1).
type Call struct {
	ID      uint64 // from 1
	Timeout uint64 // in milliseconds from the receipt, 0 for none
	Codec   uint8
	Name    []byte // UTF-8, at most MaxName bytes
	Total   uint64 // length of all arguments
	Data    []byte // their beginning
}

// ParseCall reads the body of a CALL.
func ParseCall(body []byte) (Call, error) {
	var f Call
	var n uint64
	f.ID, body = varint(body)
	f.Timeout, body = varint(body)
	f.Codec, body = u8(body)
	n, body = varint(body)
	f.Name, body = take(body, n)
	f.Total, body = varint(body)
	f.Data = body
	if body == nil || f.ID == 0 || n > MaxName || !utf8.Valid(f.Name) || uint64(len(body)) > f.Total {
		return Call{}, errFrame
	}
	return f, nil
}

// Append appends the frame, whose body must be at most 16,383 bytes.
func (f *Call) Append(b []byte) []byte {
	start := len(b)
	b = openFrame(b, FrameCall)
	b = AppendVarint(b, f.ID)
	b = AppendVarint(b, f.Timeout)
	b = append(b, f.Codec)
	b = AppendVarint(b, uint64(len(f.Name)))
	b = append(b, f.Name...)
	b = AppendVarint(b, f.Total)
	b = append(b, f.Data...)
	return closeFrame(b, start)
}

// Overhead is the size of the frame without Data.
func (f *Call) Overhead() int {
	name := varintLen(uint64(len(f.Name))) + len(f.Name)
	return 1 + lengthLen + varintLen(f.ID) + varintLen(f.Timeout) + 1 + name + varintLen(f.Total)
}
