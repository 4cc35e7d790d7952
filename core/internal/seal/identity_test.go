package seal

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

// RFC 7748 §6.1.
func TestIdentity(t *testing.T) {
	private, err := hex.DecodeString("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
	check(t, err)
	id, err := ParseIdentity(private)
	check(t, err)
	public := id.Public()
	if got := hex.EncodeToString(public[:]); got != "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a" {
		t.Error(got)
	}
	again, err := ParseIdentity(id.Bytes())
	check(t, err)
	same(t, "private key", again.Bytes(), id.Bytes())
	if again.Public() != id.Public() || again.Fingerprint() != id.Fingerprint() {
		t.Error("not the same identity again")
	}
}

func TestBadIdentities(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 31), make([]byte, 32), make([]byte, 33)} {
		if _, err := ParseIdentity(b); err == nil {
			t.Errorf("%d bytes accepted", len(b))
		}
	}
	if _, err := NewIdentity(iotest.ErrReader(errors.New("dry"))); err == nil {
		t.Error("made of no randomness")
	}
}

func TestZeroedIdentity(t *testing.T) {
	id := identity(t, 1)
	private := id.private.get()
	id.Zero()
	if *private != [32]byte{} || id.Bytes() != nil {
		t.Error("the key is still there")
	}
	if _, _, err := Initiate(id, OpenRealm(), prologue, counter(1)); !errors.Is(err, errGone) {
		t.Error(err)
	}
	if _, _, err := Initiate(nil, OpenRealm(), prologue, counter(1)); !errors.Is(err, errGone) {
		t.Error(err)
	}
}

func TestFingerprint(t *testing.T) {
	f := identity(t, 1).Fingerprint()
	s := f.String()
	if len(s) != 64 || s != strings.ToLower(s) {
		t.Fatal(s)
	}
	var pairs []string
	for i := 0; i < len(s); i += 2 {
		pairs = append(pairs, s[i:i+2])
	}
	for _, form := range []string{s, strings.ToUpper(s), strings.Join(pairs, ":"), " " + strings.Join(pairs, " ") + " "} {
		if got, err := ParseFingerprint(form); err != nil || got != f {
			t.Errorf("%q: %v, %v", form, got, err)
		}
	}
	for _, bad := range []string{"", s[:63], s[:62], s + "0", s + "00", s[:63] + "g", s[:32] + "-" + s[32:]} {
		if got, err := ParseFingerprint(bad); err == nil || got != (Fingerprint{}) {
			t.Errorf("%q accepted", bad)
		}
	}
}
