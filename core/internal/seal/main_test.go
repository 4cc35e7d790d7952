package seal

import (
	"bytes"
	"encoding/binary"
	"flag"
	"io"
	"testing"
	"time"

	"github.com/peerlink/peerlink/internal/leaktest"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

func TestMain(m *testing.M) { leaktest.Main(m) }

var (
	start0   = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	prologue = []byte("PeerLink 1\x04\x01\x03\x00\x11\x22\x33\x44\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7")
	helloA   = []byte("the HELLO of the initiator")
	helloB   = []byte("the HELLO of the responder")
)

// counter is a reader of bytes that only seed tells.
func counter(seed byte) io.Reader {
	b := make([]byte, 1<<12)
	for i := range b {
		b[i] = seed + byte(i)*7
	}
	return bytes.NewReader(b)
}

func identity(t testing.TB, seed byte) *Identity {
	t.Helper()
	id, err := NewIdentity(counter(seed))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// realm makes one that needs no Argon2id.
func realm(t testing.TB, seed byte) *Realm {
	t.Helper()
	text, err := NewSecret(counter(seed))
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRealm(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// both are the keys of the two ends of a session.
type both struct{ initiator, responder *Keys }

// shake runs a handshake that must succeed.
func shake(t testing.TB, a, b *Identity, r *Realm) both {
	t.Helper()
	hi, m1, err := Initiate(a, r, prologue, counter(101))
	check(t, err)
	hr, m2, err := Respond(b, r, prologue, m1, helloB, counter(102))
	check(t, err)
	hello, err := hi.ReadResponse(m2)
	check(t, err)
	same(t, "hello of the responder", hello, helloB)
	m3, ki, err := hi.Finish(helloA)
	check(t, err)
	hello, kr, err := hr.ReadFinish(m3)
	check(t, err)
	same(t, "hello of the initiator", hello, helloA)
	if hi.PeerKey() != b.Public() || hr.PeerKey() != a.Public() || hi.Peer() != b.Fingerprint() {
		t.Fatal("wrong peer")
	}
	return both{ki, kr}
}

// resume runs a RESUME handshake that must succeed.
func resume(t testing.TB, a, b *Identity, r *Realm, from both) both {
	t.Helper()
	hi, m1, err := InitiateResume(a, r, from.initiator.Resumption(), prologue, helloA, counter(103))
	check(t, err)
	hello, m2, kr, err := RespondResume(b, r, from.responder.Resumption(), prologue, m1, helloB, counter(104))
	check(t, err)
	same(t, "hello of the initiator", hello, helloA)
	hello, ki, err := hi.ReadResumed(m2)
	check(t, err)
	same(t, "hello of the responder", hello, helloB)
	if hi.PeerKey() != b.Public() {
		t.Fatal("wrong peer")
	}
	return both{ki, kr}
}

// agree checks that what one seals the other opens, in both directions.
func agree(t testing.TB, k both) {
	t.Helper()
	for _, suite := range []Suite{AESGCM, ChaCha} {
		a, b := ciphers(t, k, suite)
		pass(t, a, b, 0)
		pass(t, b, a, 0)
	}
	same(t, "export", k.initiator.Exporter("x", 40), k.responder.Exporter("x", 40))
	if k.initiator.Resumption().Ticket != k.responder.Resumption().Ticket {
		t.Fatal("tickets differ")
	}
}

func ciphers(t testing.TB, k both, suite Suite) (a, b *Cipher) {
	t.Helper()
	a, err := NewCipher(k.initiator, suite, start0)
	check(t, err)
	b, err = NewCipher(k.responder, suite, start0)
	check(t, err)
	return a, b
}

// A sealed packet with what its header says.
type sealed struct {
	packet []byte
	phase  uint8
	number uint64
}

// header is that of DATA, §8.
func header(phase uint8, number uint64) []byte {
	h := make([]byte, headerLen, headerLen+64+tagLen)
	h[0], h[1] = 0x08, phase
	copy(h[4:8], "sess")
	binary.BigEndian.PutUint64(h[8:], number)
	return h
}

func plain(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("frames of "), number)
}

func seal(t testing.TB, c *Cipher, number uint64) sealed {
	t.Helper()
	phase := c.Phase()
	p := c.Seal(append(header(phase, number), plain(number)...), number)
	if p == nil {
		t.Fatalf("packet %d was not sealed", number)
	}
	return sealed{p, phase, number}
}

// open opens a copy, so that a packet can come twice.
func open(c *Cipher, now time.Time, s sealed) error {
	p, err := c.Open(now, bytes.Clone(s.packet), s.phase, s.number)
	if err == nil && !bytes.Equal(p, plain(s.number)) {
		panic("opened to something else")
	}
	return err
}

func pass(t testing.TB, from, to *Cipher, number uint64) {
	t.Helper()
	check(t, open(to, start0, seal(t, from, number)))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("%s:\n got %x\nwant %x", what, got, want)
	}
}
