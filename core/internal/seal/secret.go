package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

var errGone = errors.New("seal: the key is not there, or was overwritten")

// A box is a pointer that fmt does not follow: it does follow one to an array or
// a struct, with some verbs even inside a struct whose methods it cannot call.
type box[T any] struct{ p **T }

func boxed[T any](v *T) box[T] { return box[T]{&v} }

// get returns nil for the zero value.
func (b box[T]) get() *T {
	if b.p == nil {
		return nil
	}
	return *b.p
}

// A secret is 32 bytes, or none.
type secret struct{ box[[32]byte] }

// keep copies 32 bytes and overwrites their source.
func keep(b []byte) secret {
	s := [32]byte(b)
	clear(b)
	return secret{boxed(&s)}
}

func (s secret) clone() secret {
	b := *s.get()
	return secret{boxed(&b)}
}

// zero overwrites the bytes; the secret counts as missing from then on.
func (s *secret) zero() {
	if b := s.get(); b != nil {
		clear(b[:])
		s.box = box[[32]byte]{}
	}
}

// expand is HKDF-Expand of RFC 5869 with SHA-256. It fails for more than 8160
// bytes only, which nobody asks for.
func expand(key []byte, label string, n int) []byte {
	out, err := hkdf.Expand(sha256.New, key, label, n)
	if err != nil {
		panic(err)
	}
	return out
}

// readKey reads 32 bytes of randomness.
func readKey(random io.Reader) ([]byte, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("seal: no randomness: %w", err)
	}
	return b, nil
}

// shown is embedded in what holds secrets: it is all that is seen of it,
// whichever way it is formatted, logged or marshalled.
type shown struct{ text string }

// String says what this is, and no secret.
func (s shown) String() string {
	if s.text == "" {
		return "[secret]"
	}
	return s.text
}

// GoString is String.
func (s shown) GoString() string { return s.String() }

// Format writes String for every verb.
func (s shown) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalText is String; log/slog and encoding/json go by it.
func (s shown) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
