package seal

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"github.com/flynn/noise"
)

func TestHandshake(t *testing.T) {
	for name, r := range map[string]*Realm{"open": OpenRealm(), "secret": realm(t, 9)} {
		t.Run(name, func(t *testing.T) {
			a, b := identity(t, 1), identity(t, 2)
			k := shake(t, a, b, r)
			agree(t, k)
			k = resume(t, a, b, r, k)
			agree(t, k)
			// Who was resumed with may be the one to resume.
			agree(t, resume(t, b, a, r, both{k.responder, k.initiator}))
		})
	}
}

func TestDirectionsDiffer(t *testing.T) {
	k := shake(t, identity(t, 1), identity(t, 2), OpenRealm())
	a, b := ciphers(t, k, ChaCha)
	s := seal(t, a, 0)
	if err := open(a, start0, s); !errors.Is(err, ErrPacket) {
		t.Error("opened what it sealed itself")
	}
	if t2 := seal(t, b, 0); bytes.Equal(s.packet, t2.packet) {
		t.Error("both directions seal alike")
	}
}

// The psk comes in with the third message: the initiator cannot know, the
// responder gets no keys, and those of the initiator are of no use.
func TestWrongSecret(t *testing.T) {
	for name, other := range map[string]*Realm{"another": realm(t, 8), "none": OpenRealm()} {
		hi, m1, err := Initiate(identity(t, 1), realm(t, 9), prologue, counter(1))
		check(t, err)
		hr, m2, err := Respond(identity(t, 2), other, prologue, m1, helloB, counter(2))
		check(t, err)
		_, err = hi.ReadResponse(m2)
		check(t, err)
		m3, _, err := hi.Finish(helloA)
		check(t, err)
		hello, keys, err := hr.ReadFinish(m3)
		if !errors.Is(err, ErrHandshake) || hello != nil || keys != nil || hr.PeerKey() != [32]byte{} {
			t.Errorf("%s: %v, keys %v", name, err, keys)
		}
	}
}

// tampered calls f with every way to damage msg: each bit, each cut, bytes more.
func tampered(msg []byte, f func(bad []byte)) {
	for i := range msg {
		bad := bytes.Clone(msg)
		bad[i] ^= 1 << (i % 8)
		f(bad)
	}
	for i := range msg {
		f(msg[:i:i])
	}
	f(append(bytes.Clone(msg), 0))
	f(make([]byte, MaxHello+responseLen+1))
}

func TestTamperedMessages(t *testing.T) {
	a, b, r := identity(t, 1), identity(t, 2), realm(t, 9)
	hi, m1, err := Initiate(a, r, prologue, counter(1))
	check(t, err)
	tampered(m1, func(bad []byte) {
		if h, _, err := Respond(b, r, prologue, bad, helloB, counter(2)); !errors.Is(err, ErrHandshake) || h != nil {
			t.Fatalf("INIT %x: %v", bad, err)
		}
	})
	hr, m2, err := Respond(b, r, prologue, m1, helloB, counter(2))
	check(t, err)
	tampered(m2, func(bad []byte) {
		if hello, err := hi.ReadResponse(bad); !errors.Is(err, ErrHandshake) || hello != nil {
			t.Fatalf("RESP %x: %v", bad, err)
		}
	})
	hello, err := hi.ReadResponse(m2) // all that did no harm
	check(t, err)
	same(t, "hello", hello, helloB)
	m3, ki, err := hi.Finish(helloA)
	check(t, err)
	tampered(m3, func(bad []byte) {
		if _, keys, err := hr.ReadFinish(bad); !errors.Is(err, ErrHandshake) || keys != nil {
			t.Fatalf("FIN %x: %v", bad, err)
		}
	})
	_, kr, err := hr.ReadFinish(m3)
	check(t, err)
	agree(t, both{ki, kr})
}

func TestTamperedResumption(t *testing.T) {
	a, b, r := identity(t, 1), identity(t, 2), realm(t, 9)
	k := shake(t, a, b, r)
	hi, m1, err := InitiateResume(a, r, k.initiator.Resumption(), prologue, helloA, counter(1))
	check(t, err)
	tampered(m1, func(bad []byte) {
		if _, _, keys, err := RespondResume(b, r, k.responder.Resumption(), prologue, bad, helloB, counter(2)); !errors.Is(err, ErrHandshake) || keys != nil {
			t.Fatalf("RESUME %x: %v", bad, err)
		}
	})
	_, m2, kr, err := RespondResume(b, r, k.responder.Resumption(), prologue, m1, helloB, counter(2))
	check(t, err)
	tampered(m2, func(bad []byte) {
		if _, keys, err := hi.ReadResumed(bad); !errors.Is(err, ErrHandshake) || keys != nil {
			t.Fatalf("RESUMED %x: %v", bad, err)
		}
	})
	_, ki, err := hi.ReadResumed(m2)
	check(t, err)
	agree(t, both{ki, kr})
}

func TestTamperedPrologue(t *testing.T) {
	a, b, r := identity(t, 1), identity(t, 2), realm(t, 9)
	res := shake(t, a, b, r)
	_, init, err := Initiate(a, r, prologue, counter(1))
	check(t, err)
	_, again, err := InitiateResume(a, r, res.initiator.Resumption(), prologue, helloA, counter(1))
	check(t, err)
	tampered(prologue, func(bad []byte) {
		if _, _, err := Respond(b, r, bad, init, helloB, counter(2)); !errors.Is(err, ErrHandshake) {
			t.Fatalf("INIT with %x: %v", bad, err)
		}
		if _, _, _, err := RespondResume(b, r, res.responder.Resumption(), bad, again, helloB, counter(2)); !errors.Is(err, ErrHandshake) {
			t.Fatalf("RESUME with %x: %v", bad, err)
		}
	})
}

// The caller's buffer is used anew while the handshake goes on.
func TestPrologueIsCopied(t *testing.T) {
	buf := bytes.Clone(prologue)
	hi, m1, err := Initiate(identity(t, 1), OpenRealm(), buf, counter(1))
	check(t, err)
	clear(buf)
	_, m2, err := Respond(identity(t, 2), OpenRealm(), prologue, m1, helloB, counter(2))
	check(t, err)
	if _, err := hi.ReadResponse(make([]byte, len(m2))); !errors.Is(err, ErrHandshake) {
		t.Fatal(err)
	}
	_, err = hi.ReadResponse(m2)
	check(t, err)
}

func TestResumeMismatch(t *testing.T) {
	a, b, c, r := identity(t, 1), identity(t, 2), identity(t, 3), realm(t, 9)
	ab, cb := shake(t, a, b, r), shake(t, c, b, r)
	other := ab.responder.Resumption()
	other.secret = cb.responder.Resumption().secret

	for name, c := range map[string]struct {
		by       *Identity
		res      *Resumption
		realm    *Realm
		answered bool // the psk comes in with the answer, which then fails
	}{
		"another secret of the session": {a, other, r, true},
		"another realm":                 {a, ab.responder.Resumption(), realm(t, 8), true},
		"another peer's ticket":         {a, cb.responder.Resumption(), r, false},
		"a stolen ticket":               {c, ab.responder.Resumption(), r, false},
	} {
		t.Run(name, func(t *testing.T) {
			hi, m1, err := InitiateResume(c.by, r, ab.initiator.Resumption(), prologue, helloA, counter(1))
			check(t, err)
			_, m2, _, err := RespondResume(b, c.realm, c.res, prologue, m1, helloB, counter(2))
			if !c.answered {
				if !errors.Is(err, ErrHandshake) {
					t.Fatal(err)
				}
				return
			}
			check(t, err)
			if _, keys, err := hi.ReadResumed(m2); !errors.Is(err, ErrHandshake) || keys != nil {
				t.Fatal(err)
			}
		})
	}
}

// A man in the middle who answers with his own key gets a handshake to guess
// on, but no keys.
func TestResponderWithoutSecret(t *testing.T) {
	hi, m1, err := Initiate(identity(t, 1), realm(t, 9), prologue, counter(1))
	check(t, err)
	hm, m2, err := Respond(identity(t, 66), OpenRealm(), prologue, m1, helloB, counter(2))
	check(t, err)
	_, err = hi.ReadResponse(m2)
	check(t, err)
	if hi.PeerKey() != identity(t, 66).Public() {
		t.Error("not said who answered")
	}
	m3, keys, err := hi.Finish(helloA)
	check(t, err)
	if bytes.Contains(m3, helloA) {
		t.Error("HELLO in clear")
	}
	if _, _, err := hm.ReadFinish(m3); !errors.Is(err, ErrHandshake) {
		t.Error(err)
	}
	keys.Zero()
}

// Points of low order give a shared secret of zeros, which anybody knows.
func TestLowOrderPoints(t *testing.T) {
	a, b := identity(t, 1), identity(t, 2)
	for _, point := range [][]byte{make([]byte, 32), append([]byte{1}, make([]byte, 31)...)} {
		hi, m1, err := Initiate(a, OpenRealm(), prologue, counter(1))
		check(t, err)
		_, m2, err := Respond(b, OpenRealm(), prologue, m1, helloB, counter(2))
		check(t, err)
		bad := append(bytes.Clone(point), m2[32:]...)
		if _, err := hi.ReadResponse(bad); !errors.Is(err, ErrHandshake) {
			t.Error(err)
		}
		_, err = hi.ReadResponse(m2)
		check(t, err)
		forged := forgeInit(t, point)
		if h, _, err := Respond(b, OpenRealm(), prologue, forged, helloB, counter(2)); !errors.Is(err, ErrHandshake) || h != nil {
			t.Error(err)
		}
		res := &Resumption{Peer: [32]byte(point), secret: keep(bytes.Repeat([]byte{7}, 32))}
		if _, _, err := InitiateResume(a, OpenRealm(), res, prologue, nil, counter(3)); !errors.Is(err, ErrHandshake) {
			t.Error(err)
		}
	}
}

// forgeInit makes a first message that verifies, of an ephemeral key of choice.
func forgeInit(t *testing.T, point []byte) []byte {
	t.Helper()
	suite := noise.NewCipherSuite(fixedDH{noise.DH25519, point}, noise.CipherChaChaPoly, noise.HashBLAKE2s)
	state, err := noise.NewHandshakeState(noise.Config{
		CipherSuite: suite, Pattern: noise.HandshakeXX, Initiator: true, Prologue: prologue,
		PresharedKey: make([]byte, 32), PresharedKeyPlacement: 3,
	})
	check(t, err)
	msg, _, _, err := state.WriteMessage(nil, nil)
	check(t, err)
	return msg
}

type fixedDH struct {
	noise.DHFunc
	public []byte
}

func (f fixedDH) GenerateKeypair(io.Reader) (noise.DHKey, error) {
	return noise.DHKey{Private: make([]byte, 32), Public: f.public}, nil
}

func TestOrder(t *testing.T) {
	a, b := identity(t, 1), identity(t, 2)
	hi, m1, err := Initiate(a, OpenRealm(), prologue, counter(1))
	check(t, err)
	hr, m2, err := Respond(b, OpenRealm(), prologue, m1, helloB, counter(2))
	check(t, err)

	refused := func(err error) {
		t.Helper()
		if !errors.Is(err, errOrder) {
			t.Error(err)
		}
	}
	_, _, err = hi.Finish(helloA)
	refused(err)
	_, _, err = hi.ReadFinish(m2)
	refused(err)
	_, _, err = hi.ReadResumed(m2)
	refused(err)
	_, err = hr.ReadResponse(m2)
	refused(err)
	_, err = hi.ReadResponse(m2)
	check(t, err)
	_, err = hi.ReadResponse(m2) // sent again by the responder
	refused(err)
	m3, ki, err := hi.Finish(helloA)
	check(t, err)
	_, _, err = hi.Finish(helloA)
	refused(err)
	_, kr, err := hr.ReadFinish(m3)
	check(t, err)
	_, _, err = hr.ReadFinish(m3)
	refused(err)
	agree(t, both{ki, kr})
}

func TestHelloLengths(t *testing.T) {
	a, b, r := identity(t, 1), identity(t, 2), OpenRealm()
	for _, n := range []int{0, 1, MaxHello, MaxHello + 1} {
		hello := bytes.Repeat([]byte{0xee}, n)
		hi, m1, err := Initiate(a, r, prologue, counter(1))
		check(t, err)
		hr, m2, err := Respond(b, r, prologue, m1, hello, counter(2))
		if n > MaxHello {
			if !errors.Is(err, errHello) {
				t.Error(err)
			}
			_, m2, err = Respond(b, r, prologue, m1, nil, counter(2))
		}
		check(t, err)
		_, err = hi.ReadResponse(m2)
		check(t, err)
		m3, _, err := hi.Finish(hello)
		if n > MaxHello {
			if !errors.Is(err, errHello) {
				t.Error(err)
			}
			continue
		}
		check(t, err)
		got, _, err := hr.ReadFinish(m3)
		check(t, err)
		same(t, "hello", got, hello)
		if len(m1) != 48 || len(m2) != 96+n || len(m3) != 64+n {
			t.Errorf("lengths %d, %d, %d", len(m1), len(m2), len(m3))
		}
	}
	k := shake(t, a, b, r)
	long := make([]byte, MaxHello+1)
	if _, _, err := InitiateResume(a, r, k.initiator.Resumption(), prologue, long, counter(1)); !errors.Is(err, errHello) {
		t.Error(err)
	}
	if _, _, _, err := RespondResume(b, r, k.responder.Resumption(), prologue, nil, long, counter(1)); !errors.Is(err, errHello) {
		t.Error(err)
	}
}

func TestNoRandomness(t *testing.T) {
	a, r, dry := identity(t, 1), OpenRealm(), iotest.ErrReader(io.ErrClosedPipe)
	res := shake(t, a, identity(t, 2), r).initiator.Resumption()
	_, _, err1 := Initiate(a, r, prologue, dry)
	_, _, err2 := Respond(a, r, prologue, make([]byte, 48), nil, dry)
	_, _, err3 := InitiateResume(a, r, res, prologue, nil, dry)
	_, _, _, err4 := RespondResume(a, r, res, prologue, nil, nil, dry)
	for i, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Error(i, err)
		}
	}
}

func TestZeroedHandshake(t *testing.T) {
	a, b, r := identity(t, 1), identity(t, 2), realm(t, 9)
	hi, m1, err := Initiate(a, r, prologue, counter(1))
	check(t, err)
	hr, m2, err := Respond(b, r, prologue, m1, helloB, counter(2))
	check(t, err)
	for _, h := range []*Handshake{hi, hr} {
		ephemeral, psk := h.state.get().LocalEphemeral().Private, h.config.get().PresharedKey
		h.Zero()
		h.Zero()
		same(t, "ephemeral key", ephemeral, make([]byte, 32))
		same(t, "psk", psk, make([]byte, 32))
	}
	if _, err := hi.ReadResponse(m2); !errors.Is(err, errOrder) {
		t.Error(err)
	}
	if *r.psk.get() == [32]byte{} {
		t.Error("the realm went with it")
	}
}

// A realm that is closed meanwhile must not turn into the open one.
func TestRealmZeroedMeanwhile(t *testing.T) {
	a, b, r := identity(t, 1), identity(t, 2), realm(t, 9)
	hi, m1, err := Initiate(a, r, prologue, counter(1))
	check(t, err)
	r.Zero()
	hr, m2, err := Respond(b, OpenRealm(), prologue, m1, helloB, counter(2))
	check(t, err)
	if _, err := hi.ReadResponse(make([]byte, len(m2))); !errors.Is(err, ErrHandshake) {
		t.Fatal(err)
	}
	_, err = hi.ReadResponse(m2)
	check(t, err)
	m3, _, err := hi.Finish(helloA)
	check(t, err)
	if _, _, err := hr.ReadFinish(m3); !errors.Is(err, ErrHandshake) {
		t.Error(err)
	}
}

func TestKeys(t *testing.T) {
	k := shake(t, identity(t, 1), identity(t, 2), OpenRealm()).initiator
	for _, n := range []int{-1, 0, maxExport + 1, math.MaxInt} {
		if k.Exporter("x", n) != nil {
			t.Errorf("%d bytes exported", n)
		}
	}
	x, y := k.Exporter("x", maxExport), k.Exporter("y", 32)
	if len(x) != maxExport || bytes.Equal(x[:32], y) {
		t.Error("exports of two labels are alike")
	}
	res := k.Resumption()
	k.Zero()
	k.Zero()
	if k.Exporter("x", 1) != nil || k.Resumption() != nil {
		t.Error("keys after Zero")
	}
	if _, err := NewCipher(k, ChaCha, start0); !errors.Is(err, errGone) {
		t.Error(err)
	}
	if _, err := NewCipher(nil, ChaCha, start0); !errors.Is(err, errGone) {
		t.Error(err)
	}
	res.Zero()
	for _, res := range []*Resumption{res, nil, {}} {
		if _, _, err := InitiateResume(identity(t, 1), OpenRealm(), res, prologue, nil, counter(1)); !errors.Is(err, errGone) {
			t.Error(err)
		}
		if _, _, _, err := RespondResume(identity(t, 1), OpenRealm(), res, prologue, nil, nil, counter(1)); !errors.Is(err, errGone) {
			t.Error(err)
		}
	}
}
