//go:build linux

package main

import (
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"
	"slices"

	"github.com/flynn/noise"
)

// kinds are the packets that can be sent; docs/PROTOCOL.md says what they imitate.
var kinds = map[string]func() ([]byte, error){"garbage": garbage, "handshakes": handshake}

// garbage is any of five kinds that must come to nothing.
func garbage() ([]byte, error) {
	switch mathrand.IntN(5) {
	case 0:
		return random(1 + mathrand.IntN(1200)), nil
	case 1:
		return truncated(), nil
	case 2:
		return slices.Concat(initHead(), random(48), make([]byte, 384-32-48)), nil
	case 3:
		return data(), nil
	default:
		return malformed(), nil
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// truncated is shorter than any packet of its type.
func truncated() []byte {
	b := random(1 + mathrand.IntN(8))
	b[0] = byte(0x04 + mathrand.IntN(8))
	return b
}

// initHead is the first 32 bytes of an INIT in the open realm, without a cookie.
func initHead() []byte {
	b := []byte{0x04, 1, 3, 0}
	b = binary.BigEndian.AppendUint32(b, session())
	return append(b, make([]byte, 24)...)
}

// data looks like a packet of a session that is not there.
func data() []byte {
	b := []byte{0x08, byte(mathrand.IntN(2)), 0, 0}
	b = binary.BigEndian.AppendUint32(b, session())
	b = binary.BigEndian.AppendUint64(b, mathrand.Uint64N(1<<20))
	return append(b, random(17+mathrand.IntN(1200))...)
}

func session() uint32 { return mathrand.Uint32() | 1 }

// malformed is a datagram of the 1.x dialect that breaks off, or is too deep.
func malformed() []byte {
	if mathrand.IntN(4) == 0 {
		return append([]byte(`{"type":"request","args":`), slices.Repeat([]byte("["), 1000)...)
	}
	whole := []byte(`{"type":"request","id":"00000000-0000-0000-0000-000000000000","src":"stranger","dst":"anchor","rpc":"echo","args":["x"],"kwargs":{}}`)
	return whole[:1+mathrand.IntN(len(whole)-1)]
}

var suite = noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashBLAKE2s)

// handshake is an INIT with nothing wrong, which no FIN will follow. Its sender's
// static key would be in that.
func handshake() ([]byte, error) {
	head := initHead()
	state, err := noise.NewHandshakeState(noise.Config{
		CipherSuite: suite, Random: rand.Reader, Pattern: noise.HandshakeXX, Initiator: true,
		Prologue:     append([]byte("PeerLink 1"), head[:16]...),
		PresharedKey: make([]byte, 32), PresharedKeyPlacement: 3,
	})
	if err != nil {
		return nil, err
	}
	first, _, _, err := state.WriteMessage(nil, nil)
	if err != nil {
		return nil, err
	}
	return slices.Concat(head, first, make([]byte, 384-len(head)-len(first))), nil
}
