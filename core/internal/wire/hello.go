package wire

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

const (
	// MaxHello is the length of the longest HELLO.
	MaxHello = 256
	// DefaultMessage is the MaxMessage of who does not tell it.
	DefaultMessage = 16 << 20
)

// A Hello is what the two sides tell each other inside the handshake (§5).
type Hello struct {
	Session     uint32   // of the sender
	Suites      uint8    // bits
	ID          [16]byte // of this start of the node
	Name        string   // 1 to 63 bytes
	Software    string   // at most 32 bytes; empty if not told
	TCPPort     uint16   // 0 if not told
	MaxMessage  uint64   // largest argument or result taken, in bytes
	MaxDatagram uint16   // largest UDP payload taken, at least MaxDatagram of the package
	Versions    []uint8  // spoken, 1 to MaxVersions
}

var errHello = errors.New("wire: malformed HELLO")

// Types of items.
const (
	itemSession     = 1
	itemSuites      = 2
	itemID          = 3
	itemName        = 4
	itemSoftware    = 5
	itemTCPPort     = 6
	itemMaxMessage  = 7
	itemMaxDatagram = 9
	itemVersions    = 10

	itemsRequired = 1<<itemSession | 1<<itemSuites | 1<<itemID | 1<<itemName | 1<<itemVersions
)

// Lengths of items. What is not here is unknown.
var itemLengths = [...]struct{ low, high int }{
	itemSession:     {4, 4},
	itemSuites:      {1, 1},
	itemID:          {16, 16},
	itemName:        {1, 63},
	itemSoftware:    {0, 32},
	itemTCPPort:     {2, 2},
	itemMaxMessage:  {1, 8},
	itemMaxDatagram: {2, 2},
	itemVersions:    {1, MaxVersions},
}

// ParseHello reads a HELLO. Versions aliases b. Of MaxMessage and MaxDatagram what
// is not told is filled in. Whether the suites are an offer or a choice is left to
// the caller, and so is whether they make sense.
func ParseHello(b []byte) (Hello, error) {
	h := Hello{MaxMessage: DefaultMessage, MaxDatagram: MaxDatagram}
	if len(b) > MaxHello {
		return Hello{}, errHello
	}
	var seen uint
	for len(b) > 0 {
		var item, length uint64
		var value []byte
		item, b = varint(b)
		length, b = varint(b)
		value, b = take(b, length)
		if b == nil {
			return Hello{}, errHello
		}
		if !known(item) {
			continue
		}
		if seen&(1<<item) != 0 || !h.set(item, value) {
			return Hello{}, errHello
		}
		seen |= 1 << item
	}
	if seen&itemsRequired != itemsRequired {
		return Hello{}, errHello
	}
	return h, nil
}

func known(item uint64) bool {
	return item < uint64(len(itemLengths)) && itemLengths[item].high > 0
}

// set takes a known item over, and reports whether it is well-formed.
func (h *Hello) set(item uint64, v []byte) (ok bool) {
	if len(v) < itemLengths[item].low || len(v) > itemLengths[item].high {
		return false
	}
	ok = true
	switch item {
	case itemSession:
		h.Session = binary.BigEndian.Uint32(v)
		ok = h.Session != 0
	case itemSuites:
		h.Suites = v[0]
	case itemID:
		h.ID = [16]byte(v)
	case itemName:
		h.Name, ok = string(v), utf8.Valid(v)
	case itemSoftware:
		h.Software, ok = string(v), utf8.Valid(v)
	case itemTCPPort:
		h.TCPPort = binary.BigEndian.Uint16(v)
	case itemMaxMessage:
		h.MaxMessage, v, ok = Varint(v)
		ok = ok && len(v) == 0
	case itemMaxDatagram:
		h.MaxDatagram = max(binary.BigEndian.Uint16(v), MaxDatagram)
	case itemVersions:
		h.Versions = v
	}
	return ok
}

// Append appends the HELLO; what need not be told is left out. The fields must be
// within the lengths given at them.
func (h *Hello) Append(b []byte) []byte {
	b = append(b, itemSession, 4)
	b = binary.BigEndian.AppendUint32(b, h.Session)
	b = append(b, itemSuites, 1, h.Suites)
	b = append(b, itemID, 16)
	b = append(b, h.ID[:]...)
	b = append(b, itemName, byte(len(h.Name)))
	b = append(b, h.Name...)
	if h.Software != "" {
		b = append(b, itemSoftware, byte(len(h.Software)))
		b = append(b, h.Software...)
	}
	if h.TCPPort != 0 {
		b = append(b, itemTCPPort, 2, byte(h.TCPPort>>8), byte(h.TCPPort))
	}
	if h.MaxMessage != DefaultMessage {
		b = append(b, itemMaxMessage, byte(varintLen(h.MaxMessage)))
		b = AppendVarint(b, h.MaxMessage)
	}
	if h.MaxDatagram > MaxDatagram {
		b = append(b, itemMaxDatagram, 2, byte(h.MaxDatagram>>8), byte(h.MaxDatagram))
	}
	b = append(b, itemVersions, byte(len(h.Versions)))
	return append(b, h.Versions...)
}
