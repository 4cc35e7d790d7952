package wire

// A Reply is the answer to a call (§9.1).
type Reply struct {
	ID     uint64
	Status uint64 // 0 for a result; otherwise an error code, and the data is a Failure
	Codec  uint8
	Total  uint64 // length of all data
	Data   []byte // its beginning
}

// ParseReply reads the body of a REPLY.
func ParseReply(body []byte) (Reply, error) {
	var f Reply
	f.ID, body = varint(body)
	f.Status, body = varint(body)
	f.Codec, body = u8(body)
	f.Total, body = varint(body)
	f.Data = body
	if body == nil || f.ID == 0 || uint64(len(body)) > f.Total {
		return Reply{}, errFrame
	}
	return f, nil
}

// Append appends the frame, whose body must be at most 16,383 bytes.
func (f *Reply) Append(b []byte) []byte {
	start := len(b)
	b = openFrame(b, FrameReply)
	b = AppendVarint(b, f.ID)
	b = AppendVarint(b, f.Status)
	b = append(b, f.Codec)
	b = AppendVarint(b, f.Total)
	b = append(b, f.Data...)
	return closeFrame(b, start)
}

// Overhead is the size of the frame without Data.
func (f *Reply) Overhead() int {
	return 1 + lengthLen + varintLen(f.ID) + varintLen(f.Status) + 1 + varintLen(f.Total)
}
