package link_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/peerlink/peerlink/core/internal/seal"
	"github.com/peerlink/peerlink/core/internal/wire"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

// octets are hexadecimal in JSON.
type octets []byte

func (o octets) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(o)), nil }

// The shape of the file is described in testdata/golden/README.md.
type (
	transcript struct {
		Name      string     `json:"name"`
		Pattern   string     `json:"pattern"`
		Secret    string     `json:"secret"`
		Resumes   string     `json:"resumes,omitempty"`
		Suite     seal.Suite `json:"suite"`
		Initiator party      `json:"initiator"`
		Responder party      `json:"responder"`
		Datagrams []datagram `json:"datagrams"`
		Ticket    octets     `json:"ticket"`
	}
	party struct {
		StaticPrivate    octets `json:"static_private"`
		EphemeralPrivate octets `json:"ephemeral_private"`
		SessionNumber    uint32 `json:"session_number"`
		Hello            octets `json:"hello"`
	}
	datagram struct {
		From      string `json:"from"`
		Type      string `json:"type"`
		Hex       octets `json:"hex"`
		Phase     *uint8 `json:"phase,omitempty"`
		Plaintext octets `json:"plaintext,omitempty"`
	}
)

const (
	initiator = "initiator"
	responder = "responder"

	// Of all suites known, and of a later version.
	offered = wire.SuiteAESGCM | wire.SuiteChaCha | 0x80

	realmSecret = "plk1_AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK-2vcTL0tk"
)

// Whole conversations, from the first datagram to DATA both ways: all keys are
// fixed, so that each byte is.
func TestGoldenTranscripts(t *testing.T) {
	var all []transcript
	for _, c := range []struct {
		name, secret string
		suite        seal.Suite
	}{{"open realm", "", seal.ChaCha}, {"secret", realmSecret, seal.AESGCM}} {
		realm := seal.OpenRealm()
		if c.secret != "" {
			realm = must(seal.NewRealm(c.secret))(t)
		}
		x := newExchange(t, realm, c.suite, 1)
		x.Name, x.Pattern, x.Secret = "XX, "+c.name, "XX", c.secret
		first := x.handshake(c.secret != "")
		x.talk(true)
		all = append(all, x.transcript)

		y := newExchange(t, realm, c.suite, 3)
		y.Name, y.Pattern, y.Secret, y.Resumes = "IK, "+c.name, "IK", c.secret, x.Name
		y.resume(first, c.secret != "")
		y.talk(false)
		all = append(all, y.transcript)
	}
	golden(t, "testdata/golden/transcripts.json", all)
}

func golden(t *testing.T, file string, v any) {
	t.Helper()
	got := append(must(json.MarshalIndent(v, "", " "))(t), '\n')
	if *update {
		check(t, os.WriteFile(file, got, 0o644))
	}
	if !bytes.Equal(got, must(os.ReadFile(file))(t)) {
		t.Errorf("%s is not what comes out now: if that is meant, go test -run Golden -update", file)
	}
}

// exchange is a transcript that is being made, with what both sides know.
type exchange struct {
	transcript
	t      *testing.T
	realm  *seal.Realm
	id     [2]*seal.Identity // of the initiator and the responder
	cipher [2]*seal.Cipher
	now    time.Time
}

// newExchange makes all keys of seed, but for the identities: those stay.
func newExchange(t *testing.T, realm *seal.Realm, suite seal.Suite, seed byte) *exchange {
	t.Helper()
	x := &exchange{t: t, realm: realm, now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	x.Suite = suite
	hello := wire.Hello{
		Session: 0x01020304 * uint32(seed), Suites: offered, ID: [16]byte(fill(16, 0xa0)), Name: "Küche",
		Software: "2.0.0", TCPPort: 7400, MaxMessage: 64 << 20, MaxDatagram: 1452, Versions: []uint8{1, 3},
	}
	x.id[0], x.Initiator = newParty(t, 1, seed, hello)
	x.id[1], x.Responder = newParty(t, 2, seed, wire.Hello{ // the shortest
		Session: 0x7f000001 + uint32(seed), Suites: uint8(suite), ID: [16]byte(fill(16, 0xb0)), Name: "b",
		MaxMessage: wire.DefaultMessage, MaxDatagram: wire.MaxDatagram, Versions: []uint8{1},
	})
	return x
}

func newParty(t *testing.T, key, seed byte, hello wire.Hello) (*seal.Identity, party) {
	t.Helper()
	id := must(seal.ParseIdentity(fill(32, 11*key)))(t)
	return id, party{id.Bytes(), fill(32, 100+10*key+seed), hello.Session, hello.Append(nil)}
}

// add enters a datagram and returns its bytes.
func (x *exchange) add(from string, p interface{ Append(b []byte) []byte }) []byte {
	b := p.Append(nil)
	x.Datagrams = append(x.Datagrams, datagram{From: from, Type: wire.PacketType(b[0]).String(), Hex: b})
	return b
}

// handshake goes from INIT to FIN, by way of COOKIE if the responder is under load,
// and returns what to resume with: of the initiator and of the responder.
func (x *exchange) handshake(cookie bool) [2]*seal.Resumption {
	t := x.t
	p := wire.Init{Version: wire.Version, Suites: offered, Session: x.Initiator.SessionNumber, Tag: x.realm.Tag(), Noise: make([]byte, 48)}
	prologue := wire.Prologue(p.Append(nil))
	a, m1, err := seal.Initiate(x.id[0], x.realm, prologue, x.Initiator.random())
	check(t, err)
	p.Noise = m1
	init := must(wire.ParseInit(x.add(initiator, &p)))(t)
	if cookie {
		p.Cookie = x.askCookie()
		init = must(wire.ParseInit(x.add(initiator, &p)))(t)
	}
	b, m2, err := seal.Respond(x.id[1], x.realm, prologue, init.Noise, x.Responder.Hello, x.Responder.random())
	check(t, err)
	resp := must(wire.ParseResp(x.add(responder, &wire.Resp{Initiator: init.Session, Responder: x.Responder.SessionNumber, Noise: m2})))(t)
	x.same(must(a.ReadResponse(resp.Noise))(t), x.Responder.Hello)
	m3, keysA, err := a.Finish(x.Initiator.Hello)
	check(t, err)
	fin := must(wire.ParseFin(x.add(initiator, &wire.Fin{Responder: resp.Responder, Noise: m3})))(t)
	hello, keysB, err := b.ReadFinish(fin.Noise)
	check(t, err)
	x.same(hello, x.Initiator.Hello)
	return x.begin(keysA, keysB)
}

// resume goes from RESUME to RESUMED. The initiator was the initiator before.
func (x *exchange) resume(from [2]*seal.Resumption, cookie bool) {
	t := x.t
	p := wire.Resume{Version: wire.Version, Suites: offered, Session: x.Initiator.SessionNumber, Tag: x.realm.Tag(), Ticket: from[0].Ticket}
	prologue := wire.Prologue(p.Append(nil))
	a, m1, err := seal.InitiateResume(x.id[0], x.realm, from[0], prologue, x.Initiator.Hello, x.Initiator.random())
	check(t, err)
	p.Noise = m1
	res := must(wire.ParseResume(x.add(initiator, &p)))(t)
	if cookie {
		p.Cookie = x.askCookie()
		res = must(wire.ParseResume(x.add(initiator, &p)))(t)
	}
	hello, m2, keysB, err := seal.RespondResume(x.id[1], x.realm, from[1], prologue, res.Noise, x.Responder.Hello, x.Responder.random())
	check(t, err)
	x.same(hello, x.Initiator.Hello)
	done := must(wire.ParseResumed(x.add(responder, &wire.Resumed{Initiator: res.Session, Responder: x.Responder.SessionNumber, Noise: m2})))(t)
	hello, keysA, err := a.ReadResumed(done.Noise)
	check(t, err)
	x.same(hello, x.Responder.Hello)
	x.begin(keysA, keysB)
}

func (x *exchange) askCookie() [16]byte {
	c := wire.Cookie{Initiator: x.Initiator.SessionNumber, Cookie: [16]byte(fill(16, 0xc0))}
	return must(wire.ParseCookie(x.add(responder, &c)))(x.t).Cookie
}

func (x *exchange) begin(a, b *seal.Keys) [2]*seal.Resumption {
	x.cipher[0] = must(seal.NewCipher(a, x.Suite, x.now))(x.t)
	x.cipher[1] = must(seal.NewCipher(b, x.Suite, x.now))(x.t)
	res := [2]*seal.Resumption{a.Resumption(), b.Resumption()}
	x.same(res[0].Ticket[:], res[1].Ticket[:])
	x.Ticket = res[0].Ticket[:]
	return res
}

// talk is a call and its reply; and a second one after an update of keys.
func (x *exchange) talk(again bool) {
	call := wire.Call{ID: 1, Timeout: 5000, Codec: 1, Name: []byte("add"), Total: 6, Data: []byte("[2, 3]")}
	x.data(0, 0, call.Append(nil))
	reply := wire.Reply{ID: 1, Codec: 1, Total: 1, Data: []byte("5")}
	x.data(1, 0, wire.AppendAck(reply.Append(nil), []wire.Range{{First: 0, Last: 0}}, 25*time.Microsecond))
	if !again {
		return
	}
	x.cipher[0].Acknowledged(0)
	x.cipher[0].MaxPackets = 1
	x.cipher[0].Tick(x.now)
	call = wire.Call{ID: 2, Codec: 1, Name: []byte("fail")}
	x.data(0, 1, wire.AppendAck(call.Append(nil), []wire.Range{{First: 0, Last: 0}}, 0))
	failure := (&wire.Failure{Type: "ValueError", Message: "no"}).Append(nil)
	reply = wire.Reply{ID: 2, Status: 6, Total: uint64(len(failure)), Data: failure}
	x.data(1, 1, wire.AppendAck(reply.Append(nil), []wire.Range{{First: 0, Last: 1}}, 0))
	x.data(0, 2, (&wire.Close{Code: 2, Text: "closed"}).Append(nil))
}

// data seals frames, and opens them at the other side.
func (x *exchange) data(from int, number uint64, frames []byte) {
	t := x.t
	session := []uint32{x.Responder.SessionNumber, x.Initiator.SessionNumber}[from]
	phase := x.cipher[from].Phase()
	b := wire.Header{Phase: phase, Session: session, Number: number}.Append(nil)
	b = x.cipher[from].Seal(append(b, frames...), number)
	x.Datagrams = append(x.Datagrams, datagram{
		From: []string{initiator, responder}[from], Type: "DATA", Hex: b, Phase: &phase, Plaintext: frames,
	})
	h := must(wire.ParseHeader(b))(t)
	x.same(must(x.cipher[1-from].Open(x.now, bytes.Clone(b), h.Phase, h.Number))(t), frames)
}

func (p *party) random() *bytes.Reader { return bytes.NewReader(p.EphemeralPrivate) }

func (x *exchange) same(got, want []byte) {
	x.t.Helper()
	if !bytes.Equal(got, want) {
		x.t.Fatalf("%x, want %x", got, want)
	}
}

// fill is n bytes that only seed tells.
func fill(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed + 7*byte(i)
	}
	return b
}

// must makes one value of two, in a test that ends if the second is an error.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
