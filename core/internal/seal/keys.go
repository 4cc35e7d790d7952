package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// maxExport is what HKDF-Expand can give, in bytes.
const maxExport = 255 * sha256.Size

// Keys are the secrets that a handshake ends with, as one side sees them. Once
// NewCipher and Resumption have taken theirs, only Exporter needs them.
type Keys struct {
	shown
	send, receive secret // traffic secrets of phase 0
	exporter      secret
	peer          [32]byte
}

// deriveKeys overwrites k1 and k2, the keys of the two directions; hash is that
// of the handshake.
func deriveKeys(k1, k2 *[32]byte, hash []byte, initiator bool) *Keys {
	both := append(append(make([]byte, 0, 64), k1[:]...), k2[:]...)
	defer clear(both)
	exporter, err := hkdf.Extract(sha256.New, both, hash)
	if err != nil {
		panic(err) // it has no limits
	}
	k := &Keys{
		shown:    shown{"[keys]"},
		send:     keep(expand(k1[:], "peerlink 1 traffic", 32)),
		receive:  keep(expand(k2[:], "peerlink 1 traffic", 32)),
		exporter: keep(exporter),
	}
	clear(k1[:])
	clear(k2[:])
	if !initiator {
		k.send, k.receive = k.receive, k.send
	}
	return k
}

// Resumption returns what to resume this session with, the same on both sides
// but for Peer; nil after Zero.
func (k *Keys) Resumption() *Resumption {
	if k.exporter.get() == nil {
		return nil
	}
	return newResumption(keep(expand(k.exporter.get()[:], "peerlink 1 resumption", 32)), k.peer)
}

// Exporter returns n bytes, 1 to 8160, that only the two ends of this session
// can know, other ones for each label; nil for another n and after Zero.
func (k *Keys) Exporter(label string, n int) []byte {
	if k.exporter.get() == nil || n < 1 || n > maxExport {
		return nil
	}
	return expand(k.exporter.get()[:], "peerlink 1 export "+label, n)
}

// Zero overwrites all of them. Ciphers and Resumptions made before keep theirs.
func (k *Keys) Zero() {
	k.send.zero()
	k.receive.zero()
	k.exporter.zero()
}
