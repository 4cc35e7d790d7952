package wire

// Bounds of the texts of a Failure, in bytes as sent. What is longer is cut.
const (
	MaxErrorType    = 256
	MaxErrorMessage = 64 << 10
)

// A Failure is the data of a REPLY whose status is not 0: the class of the error in
// the language of the callee, and its text.
type Failure struct {
	Type, Message string
}

// ParseFailure reads the whole data of such a REPLY. The strings are valid UTF-8,
// whatever was sent. With an error, which means that there is no class where one
// should be, all of the data is the message.
func ParseFailure(b []byte) (Failure, error) {
	length, rest := varint(b)
	class, message := take(rest, length)
	if message == nil {
		return Failure{Message: text(b, MaxErrorMessage)}, errFrame
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
