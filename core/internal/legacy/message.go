package legacy

// Kind says what a datagram is, and so which fields of a [Message] are set.
type Kind uint8

const (
	Other   Kind = iota // an object that is neither: to be ignored
	Request             // a call
	Reply               // the answer to a call
)

// Message is one datagram, read. Its slices alias the datagram or memory
// shared by all messages: copy what must outlive the datagram, change nothing.
type Message struct {
	Kind Kind

	// ID is the raw JSON of the call's id, nil if absent. A request's is
	// echoed verbatim, whatever its type.
	ID []byte

	// Native says that the sender speaks the native protocol as well.
	Native bool

	// Src names the caller. HasSrc is false if it is missing or null. A value
	// that is no string is given as str() would print it.
	Src    string
	HasSrc bool

	// Func is the function called, "" if missing. A value that is no string
	// is given as str() would print it: 1.1.1 finds no such function.
	Func string

	// Args is a JSON array and Kwargs a JSON object, in the sender's
	// spelling. What Python would spread, is: missing arguments are [] or {},
	// a string gives an array of its characters, an object one of its keys.
	Args   []byte
	Kwargs []byte

	// BadArgs, if not empty, replaces Args and Kwargs, which are nil: it is
	// the message of the TypeError that Python answers with. An unknown
	// function goes before it.
	BadArgs string

	// Result is the raw JSON of a reply's result, null if missing.
	Result []byte

	// Error is set if a reply has an error member or says it is an error.
	Error *RemoteError
}

// RemoteError is what the error member of a reply says.
type RemoteError struct {
	Type    string // exception class; "" if the member is no object
	Message string // str() of the exception, or of the whole member
}

// Error gives the text of 1.1.1's RemoteError exception.
func (e *RemoteError) Error() string {
	if e.Type == "" {
		return e.Message
	}
	return e.Type + ": " + e.Message
}
