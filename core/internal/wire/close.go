package wire

// MaxCloseText is the longest text of a Close, in bytes as sent. What is longer is
// cut.
const MaxCloseText = 256

// A Close ends a session (§9.2).
type Close struct {
	Code uint64
	Text string
}

// ParseClose reads the body of a CLOSE. Text is valid UTF-8, whatever was sent.
func ParseClose(body []byte) (Close, error) {
	code, rest := varint(body)
	if rest == nil {
		return Close{}, errFrame
	}
	return Close{code, text(rest, MaxCloseText)}, nil
}

// Append appends the frame.
func (f *Close) Append(b []byte) []byte {
	start := len(b)
	b = openFrame(b, FrameClose)
	b = AppendVarint(b, f.Code)
	b = append(b, cut(f.Text, MaxCloseText)...)
	return closeFrame(b, start)
}
