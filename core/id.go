package peerlink

import (
	"crypto/rand"

	"github.com/peerlink/peerlink/core/internal/disco"
)

// ID tells nodes apart that have the same name. It is new with each start.
type ID [16]byte

// newID returns a random version 4 UUID (RFC 9562).
func newID() ID {
	var id ID
	_, _ = rand.Read(id[:]) // never fails, see crypto/rand
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// String returns the UUID in text form.
func (id ID) String() string { return disco.ID(id).UUID() }

// MarshalText is String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }
