package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// The seeds of all targets are in testdata/fuzz.

func FuzzRespond(f *testing.F) {
	id, r := identity(f, 2), OpenRealm()
	f.Fuzz(func(t *testing.T, pro, msg []byte) {
		h, out, err := Respond(id, r, pro, msg, helloB, counter(2))
		if (err == nil) != (h != nil) || (err == nil) != (out != nil) {
			t.Fatal("half an answer")
		}
		if err == nil && (len(msg) != firstLen || len(out) != responseLen+len(helloB)) {
			t.Fatalf("%d bytes answered with %d", len(msg), len(out))
		}
	})
}

// Whatever comes first, the true answer still does.
func FuzzReadResponse(f *testing.F) {
	a, b, r := identity(f, 1), identity(f, 2), OpenRealm()
	_, m1, err := Initiate(a, r, prologue, counter(101))
	check(f, err)
	_, m2, err := Respond(b, r, prologue, m1, helloB, counter(102))
	check(f, err)
	f.Add(m2)
	f.Fuzz(func(t *testing.T, msg []byte) {
		h, _, err := Initiate(a, r, prologue, counter(101))
		check(t, err)
		if _, err := h.ReadResponse(msg); err == nil {
			if _, _, err := h.Finish(helloA); err != nil {
				t.Fatal("a good answer leads nowhere")
			}
			return
		}
		hello, err := h.ReadResponse(m2)
		check(t, err)
		same(t, "hello", hello, helloB)
	})
}

func FuzzReadFinish(f *testing.F) {
	a, b, r := identity(f, 1), identity(f, 2), OpenRealm()
	hi, m1, err := Initiate(a, r, prologue, counter(101))
	check(f, err)
	_, m2, err := Respond(b, r, prologue, m1, helloB, counter(102))
	check(f, err)
	_, err = hi.ReadResponse(m2)
	check(f, err)
	m3, _, err := hi.Finish(helloA)
	check(f, err)
	f.Add(m3)
	f.Fuzz(func(t *testing.T, msg []byte) {
		h, _, err := Respond(b, r, prologue, m1, helloB, counter(102))
		check(t, err)
		if _, keys, err := h.ReadFinish(msg); err == nil {
			if !bytes.Equal(msg, m3) || keys == nil {
				t.Fatal("forged")
			}
			return
		} else if keys != nil || !errors.Is(err, ErrHandshake) {
			t.Fatal(err)
		}
		hello, _, err := h.ReadFinish(m3)
		check(t, err)
		same(t, "hello", hello, helloA)
	})
}

func FuzzRespondResume(f *testing.F) {
	a, b, r := identity(f, 1), identity(f, 2), OpenRealm()
	k := shake(f, a, b, r)
	h, m1, err := InitiateResume(a, r, k.initiator.Resumption(), prologue, helloA, counter(103))
	check(f, err)
	_, m2, _, err := RespondResume(b, r, k.responder.Resumption(), prologue, m1, helloB, counter(104))
	check(f, err)
	h.Zero()
	f.Add(m1, m2)
	f.Fuzz(func(t *testing.T, msg, answer []byte) {
		_, _, keys, err := RespondResume(b, r, k.responder.Resumption(), prologue, msg, helloB, counter(104))
		if (err == nil) != (keys != nil) || (err == nil) != bytes.Equal(msg, m1) {
			t.Fatal(err)
		}
		h, _, err := InitiateResume(a, r, k.initiator.Resumption(), prologue, helloA, counter(103))
		check(t, err)
		if _, _, err := h.ReadResumed(answer); (err == nil) != bytes.Equal(answer, m2) {
			t.Fatal(err)
		} else if err != nil {
			_, _, err := h.ReadResumed(m2)
			check(t, err)
		}
	})
}

// Nothing forged opens, and what was sealed opens after it.
func FuzzOpen(f *testing.F) {
	k := shake(f, identity(f, 1), identity(f, 2), OpenRealm())
	f.Fuzz(func(t *testing.T, packet []byte, phase uint8, number uint64, chacha, moved bool) {
		suite := AESGCM
		if chacha {
			suite = ChaCha
		}
		a, b := ciphers(t, k, suite)
		ready(t, a, b, 3)
		if moved {
			a.Tick(start0.Add(defaultMaxAge))
			pass(t, a, b, 4)
		}
		s := seal(t, a, 5)
		known := bytes.Equal(packet, s.packet) // the corpus is that close
		if _, err := b.Open(start0, bytes.Clone(packet), phase, number); err == nil && !known {
			t.Fatal("forged")
		} else if err != nil && !errors.Is(err, ErrPacket) {
			t.Fatal(err)
		}
		check(t, open(b, start0, s))
	})
}

// Each step is a kind and 8 bytes: a number, or a way up or down from the highest.
func FuzzWindow(f *testing.F) {
	f.Fuzz(func(t *testing.T, steps []byte) {
		var w Window
		m := &model{seen: make(map[uint64]bool)}
		for ; len(steps) >= 9; steps = steps[9:] {
			n := binary.BigEndian.Uint64(steps[1:])
			switch steps[0] % 3 {
			case 1:
				n = m.top + n%5000
			case 2:
				n = m.top - n%5000
			}
			agrees(t, &w, m, n)
		}
	})
}

func FuzzSecret(f *testing.F) {
	f.Fuzz(func(t *testing.T, encoded string) {
		root, err := decodeSecret(encoded)
		if err != nil {
			return
		}
		again, err := NewSecret(bytes.NewReader(root))
		check(t, err)
		if again != secretPrefix+encoded {
			t.Fatalf("%q and %q are one secret", encoded, again)
		}
	})
}

func FuzzParseFingerprint(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		fp, err := ParseFingerprint(s)
		if err != nil {
			return
		}
		if again, err := ParseFingerprint(fp.String()); err != nil || again != fp {
			t.Fatal(err)
		}
	})
}
