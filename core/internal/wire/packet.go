package wire

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// Version is the version of the protocol that this package speaks.
const Version = 1

// Sizes in bytes.
const (
	MinInit      = 384  // of an INIT and a RESUME, so that no answer is longer
	PrologueSize = 16   // the first bytes of INIT and RESUME that the handshake authenticates
	HeaderSize   = 16   // of DATA
	TagSize      = 16   // of an AEAD
	MaxDatagram  = 1232 // of UDP payload, where the two sides did not allow more
)

// Suites, as bits.
const (
	SuiteAESGCM = 1 << iota
	SuiteChaCha
)

// What Noise puts around a HELLO: public keys of 32 bytes, tags of TagSize.
const (
	keySize  = 32
	noiseXX1 = keySize + TagSize              // e, and an empty payload: exactly
	noiseXX2 = 2*keySize + 2*TagSize          // e, s, and a HELLO
	noiseXX3 = keySize + 2*TagSize            // s, and a HELLO
	noiseIK1 = 2*keySize + 2*TagSize          // e, s, and a HELLO
	noiseIK2 = keySize + TagSize              // e, and a HELLO
	minHello = 6 + 3 + 18 + (2 + 1) + (2 + 1) // its required items
)

var (
	// ErrVersion is the error of a packet of another version of the protocol.
	ErrVersion = errors.New("wire: another version of the protocol")

	errPacket = errors.New("wire: malformed packet")
)

// A PacketType is the first byte of a packet.
type PacketType uint8

const (
	PacketInit PacketType = iota + 4
	PacketResp
	PacketFin
	PacketCookie
	PacketData
	PacketVersions
	PacketResume
	PacketResumed

	packetLast PacketType = 0x0f // those from PacketResumed on are reserved
)

var packetNames = [...]string{"INIT", "RESP", "FIN", "COOKIE", "DATA", "VERSIONS", "RESUME", "RESUMED"}

func (t PacketType) String() string {
	if t < PacketInit || t > PacketResumed {
		return "packet type " + strconv.Itoa(int(t))
	}
	return packetNames[t-PacketInit]
}

// IsNative reports whether the datagram b is a packet of this protocol, by its
// first byte; it may be of a reserved type.
func IsNative(b []byte) bool {
	return len(b) > 0 && PacketType(b[0]) >= PacketInit && PacketType(b[0]) <= packetLast
}

// Prologue returns what the handshake authenticates of the INIT or RESUME that
// begins it (§4). b has PrologueSize bytes at least.
func Prologue(b []byte) []byte {
	return append([]byte("PeerLink 1"), b[:PrologueSize]...)
}

// checkHead checks the first bytes that all packets of the handshake but INIT and
// VERSIONS have alike, and that b has at least size bytes.
func checkHead(b []byte, t PacketType, size int) error {
	switch {
	case len(b) < size || PacketType(b[0]) != t:
		return errPacket
	case b[1] != Version:
		return ErrVersion
	default:
		return nil
	}
}

// appendHead appends the first 8 bytes of RESP, FIN, COOKIE and RESUMED.
func appendHead(b []byte, t PacketType, session uint32) []byte {
	b = append(b, byte(t), Version, 0, 0)
	return binary.BigEndian.AppendUint32(b, session)
}

// holdsHello reports whether a Noise message may hold a HELLO, beside around
// bytes of keys and tags.
func holdsHello(noise []byte, around int) bool {
	return len(noise) >= around+minHello && len(noise) <= around+MaxHello
}

var zeros [MinInit]byte

// pad appends zeros until what began at start has MinInit bytes.
func pad(b []byte, start int) []byte {
	if n := MinInit - (len(b) - start); n > 0 {
		b = append(b, zeros[:n]...)
	}
	return b
}
