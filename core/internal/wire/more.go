package wire

// Directions of MORE.
const (
	Arguments = 0
	Result    = 1
)

// A More is a part of the data of a call that is behind what CALL or REPLY
// carried (§9.1).
type More struct {
	Direction uint8 // Arguments or Result
	ID        uint64
	Total     uint64 // length of all data
	Offset    uint64 // of Data in it
	Data      []byte
}

// ParseMore reads the body of a MORE.
func ParseMore(body []byte) (More, error) {
	var f More
	f.Direction, body = u8(body)
	f.ID, body = varint(body)
	f.Total, body = varint(body)
	f.Offset, body = varint(body)
	f.Data = body
	// A varint is far from the end of a uint64: the sum cannot overflow.
	if body == nil || f.ID == 0 || f.Direction > Result || f.Offset+uint64(len(body)) > f.Total {
		return More{}, errFrame
	}
	return f, nil
}

// Append appends the frame, whose body must be at most 16,383 bytes.
func (f *More) Append(b []byte) []byte {
	start := len(b)
	b = openFrame(b, FrameMore)
	b = append(b, f.Direction)
	b = AppendVarint(b, f.ID)
	b = AppendVarint(b, f.Total)
	b = AppendVarint(b, f.Offset)
	b = append(b, f.Data...)
	return closeFrame(b, start)
}

// Overhead is the size of the frame without Data.
func (f *More) Overhead() int {
	return 1 + lengthLen + 1 + varintLen(f.ID) + varintLen(f.Total) + varintLen(f.Offset)
}
