package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"golang.org/x/crypto/curve25519"
)

// A Fingerprint names a node for good: the SHA-256 of its static public key.
type Fingerprint [32]byte

// String returns 64 lower-case hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// ParseFingerprint reads what String returns, in either case and with spaces or
// colons anywhere between the digits.
func ParseFingerprint(s string) (Fingerprint, error) {
	digits := strings.Map(func(r rune) rune {
		if r == ' ' || r == ':' {
			return -1
		}
		return r
	}, s)
	var f Fingerprint
	if b, err := hex.DecodeString(digits); err != nil || copy(f[:], b) != len(b) || len(b) != len(f) {
		return Fingerprint{}, errors.New("seal: a fingerprint is 64 hexadecimal digits")
	}
	return f, nil
}

func fingerprint(public [32]byte) Fingerprint { return sha256.Sum256(public[:]) }

// An Identity is the static X25519 key pair of a node. It is safe for concurrent
// use but for Zero.
type Identity struct {
	shown
	private secret
	public  [32]byte
}

// NewIdentity makes an identity of 32 bytes of randomness.
func NewIdentity(random io.Reader) (*Identity, error) {
	b, err := readKey(random)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return ParseIdentity(b)
}

// ParseIdentity reads the 32 bytes that Bytes returned. Those of zeros only are
// refused: a state file that was never written. It keeps a copy.
func ParseIdentity(b []byte) (*Identity, error) {
	if len(b) != 32 {
		return nil, errors.New("seal: a private key is 32 bytes")
	}
	key := [32]byte(b)
	if key == [32]byte{} {
		return nil, errors.New("seal: the private key is all zeros")
	}
	clamp(&key)
	public, err := curve25519.X25519(key[:], curve25519.Basepoint)
	if err != nil {
		return nil, errors.New("seal: not a private key")
	}
	id := &Identity{private: keep(key[:]), public: [32]byte(public)}
	id.shown = shown{"[identity " + id.Fingerprint().String() + "]"}
	return id, nil
}

// clamp sets the fixed bits of RFC 7748 §5, so that a key has one form only.
func clamp(key *[32]byte) {
	key[0] &= 248
	key[31] = key[31]&127 | 64
}

// Bytes returns a copy of the private key, for a file that nobody else may read;
// nil after Zero. The caller overwrites it.
func (id *Identity) Bytes() []byte {
	if id.private.get() == nil {
		return nil
	}
	return append([]byte(nil), id.private.get()[:]...)
}

// Public returns the public key.
func (id *Identity) Public() [32]byte { return id.public }

// Fingerprint returns the name of the public key.
func (id *Identity) Fingerprint() Fingerprint { return fingerprint(id.public) }

// Zero overwrites the private key; handshakes under way or begun later fail.
func (id *Identity) Zero() { id.private.zero() }
