package seal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func eachSuite(t *testing.T, f func(t *testing.T, a, b *Cipher)) {
	for _, suite := range []Suite{AESGCM, ChaCha} {
		t.Run(suite.String(), func(t *testing.T) {
			a, b := ciphers(t, shake(t, identity(t, 1), identity(t, 2), OpenRealm()), suite)
			f(t, a, b)
		})
	}
}

func TestSuites(t *testing.T) {
	for _, c := range []struct{ offered, own, want Suite }{
		{AESGCM | ChaCha, AESGCM | ChaCha, AESGCM},
		{AESGCM | ChaCha, ChaCha, ChaCha},
		{ChaCha, AESGCM | ChaCha, ChaCha},
		{0xfc | ChaCha, AESGCM | ChaCha, ChaCha},
		{AESGCM, ChaCha, 0},
		{0, AESGCM | ChaCha, 0},
		{0xfc, AESGCM | ChaCha, 0},
	} {
		if got := choose(c.offered, c.own); got != c.want {
			t.Errorf("%v of %b and %b", got, c.offered, c.own)
		}
	}
	if Offered()&ChaCha == 0 || Choose(Offered()) == 0 || Choose(ChaCha) != ChaCha {
		t.Errorf("%b offered", Offered())
	}
	k := shake(t, identity(t, 1), identity(t, 2), OpenRealm()).initiator
	for _, s := range []Suite{0, AESGCM | ChaCha, 4, 0xff} {
		if c, err := NewCipher(k, s, start0); err == nil || c != nil {
			t.Errorf("a cipher of %b", s)
		}
		if s.String() != "no suite" {
			t.Error(s)
		}
	}
}

func TestSealInPlace(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		for _, n := range []int{0, 1, 64, 1200} {
			buf := make([]byte, 0, headerLen+n+tagLen)
			text := bytes.Repeat([]byte{byte(n)}, n)
			packet := append(append(buf, header(0, uint64(n))...), text...)
			out := a.Seal(packet, uint64(n))
			if len(out) != headerLen+n+tagLen || &out[0] != &packet[0] {
				t.Fatalf("%d bytes: not in place", n)
			}
			same(t, "header", out[:headerLen], header(0, uint64(n)))
			got, err := b.Open(start0, out, 0, uint64(n))
			check(t, err)
			same(t, "plaintext", got, text)
			if n > 0 && &got[0] != &out[headerLen] {
				t.Errorf("%d bytes: not opened in place", n)
			}
		}
	})
}

func TestTamperedPackets(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		s := seal(t, a, 5)
		before := fmt.Sprintf("%d %d %d", b.receive.phase, b.send.phase, b.lowest)
		tampered(s.packet, func(bad []byte) {
			for phase := range uint8(4) {
				if _, err := b.Open(start0, bytes.Clone(bad), phase, 5); !errors.Is(err, ErrPacket) {
					t.Fatalf("%x: %v", bad, err)
				}
			}
		})
		for _, s := range []sealed{{s.packet, 1, 5}, {s.packet, 0, 4}, {s.packet, 0, math.MaxUint64}, {nil, 0, 0}} {
			if err := open(b, start0, s); !errors.Is(err, ErrPacket) {
				t.Fatal(err)
			}
		}
		if after := fmt.Sprintf("%d %d %d", b.receive.phase, b.send.phase, b.lowest); after != before {
			t.Errorf("from %s to %s", before, after)
		}
		check(t, open(b, start0, s))
	})
}

func TestSealRefuses(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		seal(t, a, 7)
		for _, n := range []uint64{0, 6, 7, 1 << 62, math.MaxUint64} {
			if a.Seal(header(0, n), n) != nil {
				t.Errorf("number %d after 7", n)
			}
		}
		if a.Seal(make([]byte, headerLen-1), 8) != nil {
			t.Error("without a header")
		}
		a.sealed = hardMaxPackets
		if a.Seal(header(0, 8), 8) != nil {
			t.Error("more than 2^32 packets in one phase")
		}
		a.sealed = hardMaxPackets - 1
		pass(t, a, b, 8)
	})
}

func TestZeroedCipher(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		s := seal(t, a, 0)
		traffic, keys := b.receive.secret.get(), b.receive.now.get()
		b.Zero()
		b.Zero()
		if *traffic != [32]byte{} || *keys != (phaseKeys{}) {
			t.Error("keys are still there")
		}
		if err := open(b, start0, s); !errors.Is(err, ErrPacket) {
			t.Error(err)
		}
		s.phase = 1
		if err := open(b, start0, s); !errors.Is(err, ErrPacket) {
			t.Error(err)
		}
		if b.Seal(header(0, 0), 0) != nil {
			t.Error("sealed")
		}
		b.Tick(start0.Add(time.Hour))
	})
}

func phases(t *testing.T, c *Cipher, send, receive uint64) {
	t.Helper()
	if c.send.phase != send || c.receive.phase != receive || c.Phase() != uint8(send&1) {
		t.Fatalf("phases %d and %d, want %d and %d", c.send.phase, c.receive.phase, send, receive)
	}
}

// ready passes one packet and its acknowledgement, so that from may update.
func ready(t *testing.T, from, to *Cipher, number uint64) {
	t.Helper()
	pass(t, from, to, number)
	from.Acknowledged(number)
}

func TestKeyUpdate(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		now := start0
		number := uint64(0)
		for phase := range uint64(5) {
			from, to := a, b
			if phase%2 == 1 {
				from, to = b, a
			}
			phases(t, from, phase, phase)
			ready(t, from, to, number)
			now = now.Add(defaultMaxAge - time.Second)
			from.Tick(now)
			phases(t, from, phase, phase)
			now = now.Add(time.Second)
			from.Tick(now)
			phases(t, from, phase+1, phase)

			late := seal(t, to, number)                      // of the phase that from has left for sending
			check(t, open(to, now, seal(t, from, number+1))) // moves the other side
			phases(t, to, phase+1, phase+1)
			check(t, open(from, now, late))                  // opens still
			check(t, open(from, now, seal(t, to, number+1))) // the answer
			phases(t, from, phase+1, phase+1)
			check(t, open(from, now.Add(oldKeys), late))     // and still
			if open(from, now.Add(oldKeys+1), late) == nil { // but not for ever
				t.Fatal("keys of the phase before kept")
			}
			number += 2
		}
	})
}

func TestUpdateByCount(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		a.MaxPackets = 3
		for n := range uint64(3) {
			a.Tick(start0)
			phases(t, a, 0, 0)
			pass(t, a, b, n)
			a.Acknowledged(n)
		}
		a.Tick(start0)
		phases(t, a, 1, 0)
		pass(t, a, b, 3)
		phases(t, b, 1, 1)
	})
}

func TestUpdateNeedsAcknowledgement(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		late := start0.Add(time.Hour)
		a.Tick(late) // nothing was sealed
		phases(t, a, 0, 0)
		pass(t, a, b, 0)
		a.Acknowledged(1) // never sent
		a.Acknowledged(math.MaxUint64)
		a.Tick(late)
		phases(t, a, 0, 0)
		a.Acknowledged(0)
		a.Tick(late)
		phases(t, a, 1, 0)

		late = late.Add(time.Hour)
		a.Acknowledged(0) // of the phase before
		a.Tick(late)
		phases(t, a, 1, 0)
		s := seal(t, a, 1)
		a.Acknowledged(1) // a lie, as nothing came in the new phase
		a.Tick(late)
		phases(t, a, 1, 0)
		check(t, open(b, late, s))
		pass(t, b, a, 0)
		a.Tick(late)
		phases(t, a, 2, 1)
	})
}

func TestSimultaneousUpdate(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		ready(t, a, b, 0)
		ready(t, b, a, 0)
		crossA, crossB := seal(t, a, 1), seal(t, b, 1)
		late := start0.Add(defaultMaxAge)
		a.Tick(late)
		b.Tick(late)
		check(t, open(a, late, crossB))
		check(t, open(b, late, crossA))
		phases(t, a, 1, 0)
		phases(t, b, 1, 0)
		newA, newB := seal(t, a, 2), seal(t, b, 2)
		check(t, open(b, late, newA))
		check(t, open(a, late, newB))
		phases(t, a, 1, 1)
		phases(t, b, 1, 1)
		check(t, open(a, late, crossB))
		check(t, open(b, late, crossA))
	})
}

// A forged or old packet with the other bit does not move anything.
func TestForgedPhase(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		ready(t, a, b, 0)
		s := seal(t, a, 1)
		for _, number := range []uint64{0, 1, 2, math.MaxUint64} {
			if open(b, start0, sealed{s.packet, 1, number}) == nil {
				t.Fatal("opened")
			}
		}
		phases(t, b, 0, 0)
		check(t, open(b, start0, s))
	})
}

// Packets of several phases arrive in any order, a window of them at a time, and
// each opens as long as its phase is the present one, the next or the one before.
func TestReorderedAcrossUpdates(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		random := rand.New(rand.NewPCG(1, 2))
		now := start0
		var number, back uint64
		for phase := range uint64(6) {
			var batch []sealed
			for range 40 {
				batch = append(batch, seal(t, a, number))
				number++
			}
			a.Acknowledged(number - 1)
			now = now.Add(defaultMaxAge)
			a.Tick(now)
			phases(t, a, phase+1, phase)
			for range 40 {
				batch = append(batch, seal(t, a, number))
				number++
			}
			random.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
			for _, s := range batch {
				if err := open(b, now, s); err != nil {
					t.Fatalf("packet %d of phase bit %d: %v", s.number, s.phase, err)
				}
			}
			phases(t, b, phase+1, phase+1)
			check(t, open(a, now, seal(t, b, back)))
			back++
		}
	})
}

func TestNoAllocations(t *testing.T) {
	eachSuite(t, func(t *testing.T, a, b *Cipher) {
		buf := make([]byte, 0, 2048)
		packet := append(append(buf, header(0, 0)...), make([]byte, 1200)...)
		number := uint64(0)
		if n := testing.AllocsPerRun(100, func() {
			out := a.Seal(packet, number)
			if _, err := b.Open(start0, out, 0, number); err != nil {
				t.Fatal(err)
			}
			number++
		}); n != 0 {
			t.Errorf("%v allocations a packet", n)
		}
		bad := make([]byte, 1232)
		if n := testing.AllocsPerRun(100, func() {
			for phase := range uint8(2) {
				if _, err := b.Open(start0, bad, phase, number); err == nil {
					t.Fatal("opened")
				}
			}
			a.Tick(start0)
			a.Acknowledged(0)
		}); n != 0 {
			t.Errorf("%v allocations a forged packet", n)
		}
	})
}

func BenchmarkCipher(bench *testing.B) {
	for _, suite := range []Suite{AESGCM, ChaCha} {
		for _, size := range []int{64, 1200} {
			a, b := ciphers(bench, shake(bench, identity(bench, 1), identity(bench, 2), OpenRealm()), suite)
			packet := append(append(make([]byte, 0, 2048), header(0, 0)...), make([]byte, size)...)
			bench.Run(fmt.Sprintf("Seal/%v/%d", suite, size), func(bench *testing.B) {
				bench.SetBytes(int64(size))
				bench.ReportAllocs()
				for bench.Loop() {
					a.Seal(packet, a.next)
				}
			})
			out := bytes.Clone(a.Seal(packet, a.next))
			work := make([]byte, len(out))
			bench.Run(fmt.Sprintf("Open/%v/%d", suite, size), func(bench *testing.B) {
				bench.SetBytes(int64(size))
				bench.ReportAllocs()
				for bench.Loop() {
					copy(work, out)
					if _, err := b.Open(start0, work, 0, a.next-1); err != nil {
						bench.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkHandshake(bench *testing.B) {
	a, b, r := identity(bench, 1), identity(bench, 2), realm(bench, 9)
	k := shake(bench, a, b, r)
	bench.Run("XX", func(bench *testing.B) {
		for bench.Loop() {
			shake(bench, a, b, r)
		}
	})
	bench.Run("IK", func(bench *testing.B) {
		for bench.Loop() {
			resume(bench, a, b, r, k)
		}
	})
}
