package seal

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Computed once with the reference implementation in C (argon2-cffi).
func TestArgon2(t *testing.T) {
	root, err := rootOf("correct horse battery staple")
	check(t, err)
	if got := hex.EncodeToString(root); got != "b7f416f432f2f919ecaa8b83e937fbcf955cee46697f3b041d913186923ffbab" {
		t.Error(got)
	}
}

func TestSecrets(t *testing.T) {
	text, err := NewSecret(counter(1))
	check(t, err)
	if !strings.HasPrefix(text, "plk1_") || len(text) != 48 {
		t.Fatal(len(text))
	}
	r1, err := NewRealm(text)
	check(t, err)
	r2, err := NewRealm(text)
	check(t, err)
	if r1.Tag() != r2.Tag() || *r1.psk.get() != *r2.psk.get() || r1.Open() || r1.Tag() == [8]byte{} {
		t.Error("one secret, two realms")
	}
	if other := realm(t, 2); other.Tag() == r1.Tag() || *other.psk.get() == *r1.psk.get() {
		t.Error("two secrets, one realm")
	}
	if o := OpenRealm(); !o.Open() || o.Tag() != [8]byte{} || *o.psk.get() != [32]byte{} {
		t.Error("the open realm is not of zeros")
	}
	if _, err := NewSecret(iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestBadSecrets(t *testing.T) {
	good, err := NewSecret(counter(1))
	check(t, err)
	for name, text := range map[string]string{
		"empty":          "",
		"long":           strings.Repeat("x", maxSecret+1),
		"not UTF-8":      "secret\xff",
		"prefix only":    "plk1_",
		"cut":            good[:len(good)-1],
		"longer":         good + "A",
		"padded":         good + "=",
		"a line end":     good[:20] + "\n" + good[21:],
		"space behind":   good + " ",
		"other alphabet": good[:20] + "+" + good[21:],
		"loose bits":     good[:len(good)-1] + "_",
	} {
		r, err := NewRealm(text)
		if err == nil || r != nil {
			t.Errorf("%s: accepted", name)
		} else if text != "" && len(text) > 5 && strings.Contains(err.Error(), text[5:]) {
			t.Errorf("%s: shown: %v", name, err)
		}
	}
}

func TestLongestSecret(t *testing.T) {
	if testing.Short() {
		t.Skip("64 MiB of Argon2id")
	}
	_, err := NewRealm(strings.Repeat("ü", maxSecret/2))
	check(t, err)
}

func TestZeroedRealm(t *testing.T) {
	r := realm(t, 1)
	psk := r.psk.get()
	r.Zero()
	r.Zero()
	if *psk != [32]byte{} {
		t.Error("the key is still there")
	}
	// The key of zeros is that of the open realm: it must not take part in that.
	for _, r := range []*Realm{r, nil, {}} {
		if _, _, err := Initiate(identity(t, 1), r, prologue, counter(1)); !errors.Is(err, errGone) {
			t.Error(err)
		}
		if _, _, err := Respond(identity(t, 1), r, prologue, make([]byte, 48), nil, counter(1)); !errors.Is(err, errGone) {
			t.Error(err)
		}
	}
}
