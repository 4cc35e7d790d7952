package peerlink

import core "github.com/peerlink/peerlink/core"

// Codes of errors. They have the same numbers in every language, and the list
// only grows at the end.
const (
	CodeInternal        = int32(core.CodeInternal)        // a bug in PeerLink
	CodeClosed          = int32(core.CodeClosed)          // the node is not running
	CodePeerNotFound    = int32(core.CodePeerNotFound)    // nobody of that name is up
	CodeAmbiguous       = int32(core.CodeAmbiguous)       // two live nodes hold the name
	CodeTimeout         = int32(core.CodeTimeout)         // no answer in time; the text tells if the function is still running there
	CodeRemote          = int32(core.CodeRemote)          // the peer's handler failed
	CodeTooLarge        = int32(core.CodeTooLarge)        // larger than the peer can take
	CodeRefused         = int32(core.CodeRefused)         // the peer refused
	CodeOverloaded      = int32(core.CodeOverloaded)      // too many at once
	CodeUnauthenticated = int32(core.CodeUnauthenticated) // not of this realm
	CodeNoHandler       = int32(core.CodeNoHandler)       // nothing is registered under that name
	CodeInvalid         = int32(core.CodeInvalid)         // an argument is wrong
	CodeIO              = int32(core.CodeIO)              // the operating system says no
	CodeCanceled        = int32(core.CodeCanceled)        // Cancel was called
	CodePermission      = int32(core.CodePermission)      // the operating system denies the local network
	CodeUnsupported     = int32(core.CodeUnsupported)     // not in this build, or not with this peer
	CodeNameConflict    = int32(core.CodeNameConflict)    // the name is taken
	CodeGone            = int32(core.CodeGone)            // the peer left, or was restarted, before it answered
)
