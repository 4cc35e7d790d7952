package wire

// Bounds of the texts of a Failure, in bytes. What is longer is cut.
const (
	MaxErrorType    = 256
	MaxErrorMessage = 64 << 10
)

// A Failure is the data of a REPLY whose status is not 0: the class of the error in
// the language of the callee, and its text.
type Failure struct {
	Type, Message string
}

// ParseFailure reads the whole data of such a REPLY. The strings are valid UTF-8
// within the bounds, whatever was sent.
func ParseFailure(b []byte) (Failure, error) {
	length, b := varint(b)
	class, message := take(b, length)
	if message == nil {
		return Failure{}, errFrame
	}
	return Failure{text(class, MaxErrorType), text(message, MaxErrorMessage)}, nil
}

// Append appends the data.
func (f *Failure) Append(b []byte) []byte {
	class, message := cut(f.Type, MaxErrorType), cut(f.Message, MaxErrorMessage)
	b = AppendVarint(b, uint64(len(class)))
	b = append(b, class...)
	return append(b, message...)
}
