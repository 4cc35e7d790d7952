package peerlink

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/peerlink/peerlink/core/internal/seal"
)

// maxSecret is the longest Config.Secret, in bytes.
const maxSecret = 1024

// NewSecret makes a secret that cannot be guessed: "plk1_" and 43 characters. Nodes
// that are given the same one form a realm.
func NewSecret() string {
	s, err := seal.NewSecret(rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail, see there
	}
	return s
}

// A Fingerprint names the key of a node: the SHA-256 of its public key. Unlike an ID
// it stays the same over restarts if Config.StateDir is set.
type Fingerprint [32]byte

// String returns 64 hexadecimal digits, or nothing for the zero value, which no key has.
func (f Fingerprint) String() string {
	if f == (Fingerprint{}) {
		return ""
	}
	return seal.Fingerprint(f).String()
}

// MarshalText is String.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// ParseFingerprint reads what String returns; spaces, colons and case do not matter.
func ParseFingerprint(s string) (Fingerprint, error) {
	f, err := seal.ParseFingerprint(s)
	if err != nil {
		return Fingerprint{}, &Error{Code: CodeInvalid, Op: "parse fingerprint", Err: err}
	}
	return Fingerprint(f), nil
}

// newRealm derives the realm of a secret. It takes some 0.1 s and 64 MiB, unless the
// secret is one of NewSecret.
func newRealm(secret string) (*seal.Realm, error) {
	if secret == "" {
		return seal.OpenRealm(), nil
	}
	if strings.TrimRight(secret, "\r\n") != secret {
		return nil, &Error{Code: CodeInvalid, Op: "start", Err: errors.New("the secret ends in a line break: strip what a file adds")}
	}
	r, err := seal.NewRealm(secret)
	if err != nil {
		return nil, &Error{Code: CodeInvalid, Op: "start", Err: err}
	}
	return r, nil
}

// identityFile is in Config.StateDir.
const identityFile = "identity"

// loadIdentity returns the key in dir, which it makes if there is none, or a new one
// if dir is empty.
func loadIdentity(dir string) (*seal.Identity, error) {
	if dir == "" {
		return seal.NewIdentity(rand.Reader)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, ioError("make state directory", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, ioError("open state directory", err)
	}
	defer root.Close()
	id, err := readIdentity(root)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if err := writeIdentity(root); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, ioError("write identity", err)
	}
	return readIdentity(root) // ours, or that of whoever was quicker
}

func readIdentity(root *os.Root) (*seal.Identity, error) {
	name := filepath.Join(root.Name(), identityFile)
	info, err := root.Stat(identityFile)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, &Error{Code: CodePermission, Op: "read identity",
			Err: fmt.Errorf("%s can be read by others (mode %v): chmod 600, or delete it for a new key", name, info.Mode().Perm())}
	}
	b, err := root.ReadFile(identityFile)
	if err != nil {
		return nil, ioError("read identity", err)
	}
	defer clear(b)
	id, err := seal.ParseIdentity(b)
	if err != nil {
		return nil, &Error{Code: CodeInvalid, Op: "read identity", Err: fmt.Errorf("%s: %w", name, err)}
	}
	return id, nil
}

// writeIdentity makes a key. The file appears whole or not at all.
func writeIdentity(root *os.Root) error {
	id, err := seal.NewIdentity(rand.Reader)
	if err != nil {
		return err
	}
	defer id.Zero()
	temp := identityFile + "." + newID().String()
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer root.Remove(temp)
	_, err = f.Write(id.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return root.Link(temp, identityFile) // unlike a rename it fails if there is one
}
