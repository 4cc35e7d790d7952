package peerlink

import (
	"context"
	"errors"
	"net"
	"strings"
)

// A Code classes an error. Codes have the same numbers in every language (in C
// with the sign turned), and their list only grows at the end.
type Code uint16

const (
	CodeInternal        Code = iota + 1 // a bug in PeerLink
	CodeClosed                          // the node was closed
	CodePeerNotFound                    // nobody of that name is up
	CodeAmbiguous                       // two live nodes hold the name
	CodeTimeout                         // no answer in time
	CodeRemote                          // the peer's handler failed; the cause is a *RemoteError
	CodeTooLarge                        // larger than the peer can take
	CodeRefused                         // the peer refused
	CodeOverloaded                      // too many at once
	CodeUnauthenticated                 // not of this realm
	CodeNoHandler                       // nothing is registered under that name (1.x peers answer with CodeRemote)
	CodeInvalid                         // an argument is wrong
	CodeIO                              // the operating system says no
	CodeCanceled                        // the context was canceled
	CodePermission                      // the operating system denies the local network
	CodeUnsupported                     // not in this build, or not with this peer
	CodeNameConflict                    // the name is taken
	CodeGone                            // the peer left, or was restarted, before it answered
)

// lastCode is the highest that this version knows.
const lastCode = CodeGone

var codeText = [...]string{
	CodeInternal:        "internal error",
	CodeClosed:          "node is closed",
	CodePeerNotFound:    "peer not found",
	CodeAmbiguous:       "name is held by two peers",
	CodeTimeout:         "timed out",
	CodeRemote:          "remote error",
	CodeTooLarge:        "too large",
	CodeRefused:         "refused",
	CodeOverloaded:      "overloaded",
	CodeUnauthenticated: "not authenticated",
	CodeNoHandler:       "no handler",
	CodeInvalid:         "invalid argument",
	CodeIO:              "input/output error",
	CodeCanceled:        "canceled",
	CodePermission:      "local network denied",
	CodeUnsupported:     "not supported",
	CodeNameConflict:    "name is taken",
	CodeGone:            "peer is gone",
}

// String returns a short text such as "peer not found".
func (c Code) String() string {
	if c == 0 {
		return "no error"
	}
	if int(c) < len(codeText) && codeText[c] != "" {
		return codeText[c]
	}
	return "unknown error"
}

// An Error is what the functions of this package return. errors.Is compares it
// with the Err… values by Code alone; errors.As finds the cause.
type Error struct {
	Code Code
	Op   string // what was attempted, such as "call add"; may be empty
	Peer string // the name of the peer concerned; may be empty
	Err  error  // the cause; may be nil
}

// Error returns, for example, "peer Phone1: call add: timed out".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Peer != "" {
		b.WriteString("peer " + e.Peer + ": ")
	}
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	if e.Err != nil && !isGeneric(e.Err) {
		b.WriteString(e.Err.Error())
	} else {
		b.WriteString(e.Code.String())
	}
	return b.String()
}

// isGeneric tells causes that say less than the code does.
func isGeneric(err error) bool {
	return err == net.ErrClosed || err == context.DeadlineExceeded || err == context.Canceled
}

// timeoutError is a time-out of which more is known.
type timeoutError struct{ text string }

func (e timeoutError) Error() string { return e.text }

// Unwrap lets it pass for what ends a context.
func (e timeoutError) Unwrap() error { return context.DeadlineExceeded }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Values for errors.Is. Those that stand for an error of the standard library
// wrap it, so that errors.Is(err, net.ErrClosed) and the like hold too.
var (
	ErrClosed       = &Error{Code: CodeClosed, Err: net.ErrClosed}
	ErrPeerNotFound = &Error{Code: CodePeerNotFound}
	ErrAmbiguous    = &Error{Code: CodeAmbiguous}
	ErrTimeout      = &Error{Code: CodeTimeout, Err: context.DeadlineExceeded}
	ErrTooLarge     = &Error{Code: CodeTooLarge}
	ErrOverloaded   = &Error{Code: CodeOverloaded}
	ErrRemote       = &Error{Code: CodeRemote}
	ErrIO           = &Error{Code: CodeIO}
	ErrPermission   = &Error{Code: CodePermission}
	ErrCanceled     = &Error{Code: CodeCanceled, Err: context.Canceled}
	ErrInvalid      = &Error{Code: CodeInvalid}
	ErrNoHandler    = &Error{Code: CodeNoHandler}
	ErrGone         = &Error{Code: CodeGone}

	ErrUnauthenticated = &Error{Code: CodeUnauthenticated}
)

// CodeOf returns the code of err: 0 for nil, CodeInternal for an error that is
// not from this package.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// A RemoteError is what a peer's handler returned or raised. A handler that
// returns one chooses what the caller sees.
type RemoteError struct {
	Type    string // the class of the error in the peer's language, such as "ValueError"; may be empty
	Message string
}

// Error returns "Type: Message", or the message alone if there is no type.
func (e *RemoteError) Error() string {
	if e.Type == "" {
		return e.Message
	}
	return e.Type + ": " + e.Message
}
