// Package legacy speaks the UDP dialect of PeerLink 1.1.1, the Python
// package: one JSON object a datagram, spelled as CPython's json.dumps spells
// it, and CBOR, the codec of the native protocol, translated to and from it.
//
// The dialect is JSON with Python's values: bare NaN, Infinity and -Infinity,
// integers of any size, 1 and 1.0 as different values, and strings that may
// hold lone surrogates. A lone surrogate travels in CBOR text as its three
// byte generalized UTF-8 form (WTF-8, ED A0 80 for U+D800).
//
// The package is pure: bytes in, bytes out. It keeps no state, and every
// function may be called from any goroutine. Input comes from the network:
// nothing panics on it, nesting is bounded by [MaxDepth], and no length found
// in it is allocated before the bytes are there.
package legacy

const (
	// MaxPayload is the longest JSON text, in bytes and inclusive, that a 1.x
	// node sends or is sent (MAX_SAFE_UDP_PAYLOAD). Longer ones are read.
	MaxPayload = 1200

	// MaxDepth is how many arrays and objects may be nested in each other.
	// CPython itself gives up near 1000, the default recursion limit.
	MaxDepth = 512

	// PingFunc is the function every 1.x node has registered.
	PingFunc = "__ping__"

	// maxDatagram is the largest payload of a UDP datagram that 1.x counts with,
	// in bytes (MAX_DATAGRAM).
	maxDatagram = 65535

	// maxDigits is CPython's default limit on the digits of an integer
	// literal (sys.int_info.default_max_str_digits).
	maxDigits = 4300
)
