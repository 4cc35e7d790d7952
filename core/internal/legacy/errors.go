package legacy

import (
	"errors"
	"fmt"
	"strconv"
)

// Reasons why [Parse] refuses a datagram before or after looking at its JSON.
var (
	ErrNotUTF8   = errors.New("legacy: datagram is not UTF-8")
	ErrNotObject = errors.New("legacy: datagram is not a JSON object")
)

// A SyntaxError says where and why a text is not JSON in Python's dialect.
type SyntaxError struct {
	Offset int // byte offset into the text
	Reason string
}

func (e *SyntaxError) Error() string {
	return "legacy: JSON: " + e.Reason + " at byte " + strconv.Itoa(e.Offset)
}

func syntax(offset int, reason string) error {
	return &SyntaxError{Offset: offset, Reason: reason}
}

// A CBORError says where and why an item is not CBOR that can be read here.
type CBORError struct {
	Offset int // byte offset into the item
	Reason string
}

func (e *CBORError) Error() string {
	return "legacy: CBOR: " + e.Reason + " at byte " + strconv.Itoa(e.Offset)
}

// A NotEncodableError names a CBOR value that JSON has no form for. Its text
// is that of the TypeError which json.dumps raises for such a value.
type NotEncodableError struct {
	Type string // in Python's words where there are any: "bytes", "datetime"
	Key  bool   // the value is a map key
}

func (e *NotEncodableError) Error() string {
	if e.Key {
		return "keys must be str, int, float, bool or None, not " + e.Type
	}
	return "Object of type " + e.Type + " is not JSON serializable"
}

// A TooLargeError reports a text that no 1.x node would send. Its text is the
// one 1.1.1 raises as a PeerLinkError.
type TooLargeError struct {
	What  string // what was encoded: "RPC request"
	Size  int    // bytes
	Limit int    // bytes, inclusive
}

func (e *TooLargeError) Error() string {
	if e.Size > maxDatagram {
		return fmt.Sprintf("Payload too large for UDP datagram (%d bytes)", e.Size)
	}
	return fmt.Sprintf("%s: encoded size %d bytes exceeds MAX_SAFE_UDP_PAYLOAD (%d) to avoid IP fragmentation",
		e.What, e.Size, e.Limit)
}
