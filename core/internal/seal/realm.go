package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

const (
	secretPrefix = "plk1_"
	maxSecret    = 1024 // bytes

	argonSalt   = "PeerLink realm 1"
	argonPasses = 2
	argonMemory = 64 << 10 // KiB
	argonLanes  = 1
)

// A Realm is those who share a secret, or everybody. It is safe for concurrent
// use but for Zero.
type Realm struct {
	shown
	psk  secret
	tag  [8]byte
	open bool
}

// OpenRealm returns the realm of those who have no secret.
func OpenRealm() *Realm {
	return &Realm{shown: shown{"[open realm]"}, psk: keep(make([]byte, 32)), open: true}
}

// NewRealm returns the realm of a secret: one that NewSecret made, or any UTF-8
// text of 1 to 1024 bytes, for which it computes Argon2id (64 MiB, some 0.1 s).
// Errors do not contain the secret.
func NewRealm(text string) (*Realm, error) {
	root, err := rootOf(text)
	if err != nil {
		return nil, err
	}
	r := &Realm{psk: keep(expand(root, "peerlink 1 psk", 32))}
	copy(r.tag[:], expand(root, "peerlink 1 realm tag", 8))
	clear(root)
	r.shown = shown{fmt.Sprintf("[realm %x]", r.tag)}
	return r, nil
}

// rootOf returns the 32 bytes that all keys of a realm come from.
func rootOf(text string) ([]byte, error) {
	if encoded, ok := strings.CutPrefix(text, secretPrefix); ok {
		return decodeSecret(encoded)
	}
	switch {
	case text == "":
		return nil, errors.New("seal: the secret is empty")
	case len(text) > maxSecret:
		return nil, fmt.Errorf("seal: the secret is longer than %d bytes", maxSecret)
	case !utf8.ValidString(text):
		return nil, errors.New("seal: the secret is not UTF-8")
	}
	password := []byte(text)
	defer clear(password)
	return argon2.IDKey(password, []byte(argonSalt), argonPasses, argonMemory, argonLanes, 32), nil
}

// decodeSecret refuses what is nearly right: taken for a password, a secret that
// lost its end in copying would make another realm without a word.
func decodeSecret(encoded string) ([]byte, error) {
	root, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(root) != 32 || len(encoded) != base64.RawURLEncoding.EncodedLen(32) {
		return nil, errors.New("seal: the secret begins with " + secretPrefix + " but is damaged")
	}
	return root, nil
}

// NewSecret makes a secret of 256 bits, which needs no Argon2id: plk1_ and 43
// characters.
func NewSecret(random io.Reader) (string, error) {
	b, err := readKey(random)
	if err != nil {
		return "", err
	}
	defer clear(b)
	return secretPrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// Open reports whether this is the realm without a secret.
func (r *Realm) Open() bool { return r.open }

// Tag returns what announcements and INIT carry: zeros in the open realm.
func (r *Realm) Tag() [8]byte { return r.tag }

// Zero overwrites the key; handshakes with this realm fail from then on.
func (r *Realm) Zero() { r.psk.zero() }
