package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flynn/noise"
)

// octets are hexadecimal in JSON.
type octets []byte

func (o octets) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(o)), nil }

// The shape of the files is described in testdata/golden/README.md.
type (
	goldenRealm struct {
		Name   string `json:"name"`
		Secret string `json:"secret"`
		Root   octets `json:"root,omitempty"`
		PSK    octets `json:"psk,omitempty"`
		Tag    octets `json:"tag,omitempty"`
		Error  bool   `json:"error,omitempty"`
	}
	goldenParty struct {
		StaticPrivate    octets `json:"static_private"`
		StaticPublic     octets `json:"static_public"`
		Fingerprint      octets `json:"fingerprint"`
		EphemeralPrivate octets `json:"ephemeral_private"`
		EphemeralPublic  octets `json:"ephemeral_public"`
		Hello            octets `json:"hello"`
	}
	goldenResumption struct {
		Secret octets `json:"secret"`
		Ticket octets `json:"ticket"`
	}
	goldenHandshake struct {
		Name      string            `json:"name"`
		Protocol  string            `json:"protocol"`
		Prologue  octets            `json:"prologue"`
		RealmPSK  octets            `json:"realm_psk"`
		Resumes   *goldenResumption `json:"resumes,omitempty"`
		PSK       octets            `json:"psk"`
		Initiator goldenParty       `json:"initiator"`
		Responder goldenParty       `json:"responder"`
		Messages  []octets          `json:"messages"`

		Hash             octets           `json:"h"`
		K1               octets           `json:"k1"`
		K2               octets           `json:"k2"`
		TrafficInitiator octets           `json:"traffic_initiator"`
		TrafficResponder octets           `json:"traffic_responder"`
		Exporter         octets           `json:"exporter_secret"`
		Exports          []goldenExport   `json:"exports"`
		Resumption       goldenResumption `json:"resumption"`
	}
	goldenExport struct {
		Label  string `json:"label"`
		Length int    `json:"length"`
		Value  octets `json:"value"`
	}
	goldenPhase struct {
		Phase   int    `json:"phase"`
		Traffic octets `json:"traffic_secret"`
		Key     octets `json:"key"`
		IV      octets `json:"iv"`
	}
	goldenPacket struct {
		Suite     string `json:"suite"`
		SuiteBit  uint8  `json:"suite_bit"`
		From      string `json:"from"`
		Phase     uint64 `json:"phase"`
		Key       octets `json:"key"`
		IV        octets `json:"iv"`
		Number    string `json:"number"`
		Header    octets `json:"header"`
		Plaintext octets `json:"plaintext"`
		Packet    octets `json:"packet"`
	}
)

// golden compares v with a file, or writes the file.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	check(t, err)
	got = append(got, '\n')
	file := "testdata/golden/" + name + ".json"
	if *update {
		check(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what comes out now:\n%s", file, got)
	}
}

const goldenSecret = "plk1_AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK-2vcTL0tk"

func TestGoldenRealms(t *testing.T) {
	open := OpenRealm()
	all := []goldenRealm{{Name: "open", PSK: open.psk.get()[:], Tag: open.tag[:]}}
	for _, c := range [][2]string{
		{"made", goldenSecret},
		{"one character", "x"},
		{"passphrase", "correct horse battery staple"},
		{"UTF-8", "Grüße, 世界"},
		{"composed", "\u00fc"},
		{"decomposed, which is another", "u\u0308"},
		{"with spaces around, which count", " x "},
		{"1024 bytes", strings.Repeat("s", maxSecret)},
		{"prefix in upper case, so not made", "PLK1_" + goldenSecret[5:]},
	} {
		r, err := NewRealm(c[1])
		check(t, err)
		root, err := rootOf(c[1])
		check(t, err)
		all = append(all, goldenRealm{Name: c[0], Secret: c[1], Root: root, PSK: r.psk.get()[:], Tag: r.tag[:]})
	}
	for _, c := range [][2]string{
		{"1025 bytes", strings.Repeat("s", maxSecret+1)},
		{"made, but cut", goldenSecret[:47]},
		{"made, but longer", goldenSecret + "A"},
		{"made, but padded", goldenSecret + "="},
		{"made, but with loose bits at the end", goldenSecret[:47] + "l"},
		{"made, but in another alphabet", strings.ReplaceAll(goldenSecret, "-", "+")},
		{"made, but with a line end", goldenSecret + "\n"},
		{"prefix only", secretPrefix},
	} {
		if _, err := NewRealm(c[1]); err == nil {
			t.Errorf("%s is a secret", c[0])
		}
		all = append(all, goldenRealm{Name: c[0], Secret: c[1], Error: true})
	}
	golden(t, "realms", all)
}

// party makes keys that only seed tells.
func party(t *testing.T, seed byte, hello string) (*Identity, goldenParty) {
	t.Helper()
	id := identity(t, seed)
	public, fp := id.Public(), id.Fingerprint()
	ephemeral := make([]byte, 32)
	_, err := counter(seed + 50).Read(ephemeral)
	check(t, err)
	key, err := noise.DH25519.GenerateKeypair(bytes.NewReader(ephemeral))
	check(t, err)
	return id, goldenParty{id.Bytes(), public[:], fp[:], ephemeral, key.Public, octets(hello)}
}

func TestGoldenHandshakes(t *testing.T) {
	secret, err := NewRealm(goldenSecret)
	check(t, err)
	a, pa := party(t, 1, "initiator")
	b, pb := party(t, 2, "responder")

	var all []goldenHandshake
	for _, c := range []struct {
		name  string
		realm *Realm
	}{{"open realm", OpenRealm()}, {"secret", secret}} {
		g := goldenHandshake{
			Name: "XX, " + c.name, Protocol: "Noise_XXpsk3_25519_ChaChaPoly_BLAKE2s", Prologue: prologue,
			RealmPSK: c.realm.psk.get()[:], PSK: c.realm.psk.get()[:], Initiator: pa, Responder: pb,
		}
		k := goldenXX(t, &g, a, b, c.realm)
		all = append(all, finishGolden(t, g, k))

		// The responder of the first is the initiator of the second.
		b2, pb2 := party(t, 2, "initiator again")
		a2, pa2 := party(t, 1, "responder again")
		pb2.EphemeralPrivate, pa2.EphemeralPrivate = fixed(t, 61), fixed(t, 62)
		pb2.EphemeralPublic, pa2.EphemeralPublic = publicOf(t, pb2.EphemeralPrivate), publicOf(t, pa2.EphemeralPrivate)
		r := resumptionOf(k.initiator)
		psk, err := k.initiator.Resumption().psk(c.realm)
		check(t, err)
		g = goldenHandshake{
			Name: "IK, " + c.name, Protocol: "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s", Prologue: bytes.Replace(prologue, []byte{4}, []byte{0x0a}, 1),
			RealmPSK: c.realm.psk.get()[:], Resumes: &r, PSK: psk.get()[:], Initiator: pb2, Responder: pa2,
		}
		k = goldenIK(t, &g, b2, a2, c.realm, k.responder.Resumption(), k.initiator.Resumption())
		all = append(all, finishGolden(t, g, k))
	}
	golden(t, "handshakes", all)
}

func fixed(t *testing.T, seed byte) []byte {
	t.Helper()
	b, err := readKey(counter(seed))
	check(t, err)
	return b
}

func publicOf(t *testing.T, private []byte) []byte {
	t.Helper()
	key, err := noise.DH25519.GenerateKeypair(bytes.NewReader(private))
	check(t, err)
	return key.Public
}

func resumptionOf(k *Keys) goldenResumption {
	r := k.Resumption()
	return goldenResumption{r.secret.get()[:], r.Ticket[:]}
}

func goldenXX(t *testing.T, g *goldenHandshake, a, b *Identity, r *Realm) both {
	t.Helper()
	hi, m1, err := Initiate(a, r, g.Prologue, bytes.NewReader(g.Initiator.EphemeralPrivate))
	check(t, err)
	hr, m2, err := Respond(b, r, g.Prologue, m1, g.Responder.Hello, bytes.NewReader(g.Responder.EphemeralPrivate))
	check(t, err)
	_, err = hi.ReadResponse(m2)
	check(t, err)
	m3, ki, err := hi.Finish(g.Initiator.Hello)
	check(t, err)
	_, kr, err := hr.ReadFinish(m3)
	check(t, err)
	g.Messages = []octets{m1, m2, m3}
	plainNoise(t, g, noise.HandshakeXX, 3)
	return both{ki, kr}
}

func goldenIK(t *testing.T, g *goldenHandshake, a, b *Identity, r *Realm, ra, rb *Resumption) both {
	t.Helper()
	hi, m1, err := InitiateResume(a, r, ra, g.Prologue, g.Initiator.Hello, bytes.NewReader(g.Initiator.EphemeralPrivate))
	check(t, err)
	_, m2, kr, err := RespondResume(b, r, rb, g.Prologue, m1, g.Responder.Hello, bytes.NewReader(g.Responder.EphemeralPrivate))
	check(t, err)
	_, ki, err := hi.ReadResumed(m2)
	check(t, err)
	g.Messages = []octets{m1, m2}
	plainNoise(t, g, noise.HandshakeIK, 2)
	return both{ki, kr}
}

// plainNoise runs the handshake by the library alone, which must come to the
// same messages, and takes from it what Keys do not keep.
func plainNoise(t *testing.T, g *goldenHandshake, pattern noise.HandshakePattern, place int) {
	t.Helper()
	state := func(p goldenParty, initiator bool) *noise.HandshakeState {
		c := noise.Config{
			CipherSuite: noiseSuite, Pattern: pattern, Initiator: initiator, Prologue: g.Prologue,
			PresharedKey: g.PSK, PresharedKeyPlacement: place, Random: bytes.NewReader(p.EphemeralPrivate),
			StaticKeypair: noise.DHKey{Private: p.StaticPrivate, Public: p.StaticPublic},
		}
		if initiator && pattern.Name == "IK" {
			c.PeerStatic = g.Responder.StaticPublic
		}
		s, err := noise.NewHandshakeState(c)
		check(t, err)
		return s
	}
	sides := []*noise.HandshakeState{state(g.Initiator, true), state(g.Responder, false)}
	payloads := [][]byte{nil, g.Responder.Hello, g.Initiator.Hello}
	if pattern.Name == "IK" {
		payloads = [][]byte{g.Initiator.Hello, g.Responder.Hello}
	}
	for i, payload := range payloads {
		msg, c1, c2, err := sides[i%2].WriteMessage(nil, payload)
		check(t, err)
		same(t, "message", g.Messages[i], msg)
		_, _, _, err = sides[1-i%2].ReadMessage(nil, msg)
		check(t, err)
		if c1 != nil {
			k1, k2 := c1.UnsafeKey(), c2.UnsafeKey()
			g.K1, g.K2, g.Hash = k1[:], k2[:], sides[i%2].ChannelBinding()
		}
	}
}

func finishGolden(t *testing.T, g goldenHandshake, k both) goldenHandshake {
	t.Helper()
	agree(t, k)
	same(t, "secret", k.initiator.send.get()[:], k.responder.receive.get()[:])
	g.TrafficInitiator, g.TrafficResponder = k.initiator.send.get()[:], k.initiator.receive.get()[:]
	g.Exporter = k.initiator.exporter.get()[:]
	for _, e := range []goldenExport{{Label: "test", Length: 32}, {Label: "", Length: 100}} {
		e.Value = k.responder.Exporter(e.Label, e.Length)
		g.Exports = append(g.Exports, e)
	}
	g.Resumption = resumptionOf(k.initiator)
	return g
}

func TestGoldenPhases(t *testing.T) {
	traffic := keep(fixed(t, 70))
	var all []goldenPhase
	for i := range 3 {
		g := goldenPhase{Phase: i, Traffic: bytes.Clone(traffic.get()[:]), Key: expand(traffic.get()[:], "peerlink 1 key", 32)}
		k, err := derivePhase(ChaCha, &traffic)
		check(t, err)
		g.IV = bytes.Clone(k.get().iv[:])
		all = append(all, g)
	}
	golden(t, "phases", all)
}

// Packets of the first handshake of handshakes.json.
func TestGoldenPackets(t *testing.T) {
	a, pa := party(t, 1, "initiator")
	b, pb := party(t, 2, "responder")
	k := goldenXX(t, &goldenHandshake{Prologue: prologue, PSK: make([]byte, 32), Initiator: pa, Responder: pb}, a, b, OpenRealm())

	var all []goldenPacket
	for _, suite := range []Suite{AESGCM, ChaCha} {
		ca, cb := ciphers(t, k, suite)
		for phase := range uint64(3) {
			all = append(all,
				sealGolden(t, k, suite, "initiator", ca, cb, phase<<40|phase),
				sealGolden(t, k, suite, "responder", cb, ca, 1+phase<<20))
			ca.Acknowledged(phase<<40 | phase)
			ca.Tick(start0.Add(defaultMaxAge))
			ca.born = start0
		}
	}
	golden(t, "packets", all)
}

func sealGolden(t *testing.T, k both, suite Suite, name string, from, to *Cipher, number uint64) goldenPacket {
	t.Helper()
	g := goldenPacket{
		Suite: suite.String(), SuiteBit: uint8(suite), From: name, Phase: from.send.phase,
		Number: jsonNumber(number), Header: header(from.Phase(), number), Plaintext: plain(number),
	}
	if g.Phase == 1 {
		g.Plaintext = octets{0x01} // the shortest
	}
	// The key comes from the beginning, by another way than that of the cipher.
	traffic := k.initiator.send.clone()
	if name == "responder" {
		traffic = k.responder.send.clone()
	}
	for range g.Phase {
		traffic = keep(expand(traffic.get()[:], "peerlink 1 update", 32))
	}
	g.Key, g.IV = expand(traffic.get()[:], "peerlink 1 key", 32), expand(traffic.get()[:], "peerlink 1 iv", 12)

	g.Packet = from.Seal(append(bytes.Clone(g.Header), g.Plaintext...), number)
	got, err := to.Open(start0, bytes.Clone(g.Packet), uint8(g.Phase&1), number)
	check(t, err)
	same(t, "plaintext", got, g.Plaintext)
	return g
}

// What a responder chooses of what was offered.
func TestGoldenSuites(t *testing.T) {
	type choice struct {
		Offered Suite `json:"offered"`
		Own     Suite `json:"own"`
		Choice  Suite `json:"choice"`
	}
	var all []choice
	for _, own := range []Suite{ChaCha, AESGCM | ChaCha} {
		for _, offered := range []Suite{0, AESGCM, ChaCha, AESGCM | ChaCha, 0xfc, 0xfe, 0xff} {
			all = append(all, choice{offered, own, choose(offered, own)})
		}
	}
	golden(t, "suites", all)
}

// goldenArrival is a packet that comes to a receiver, and what becomes of it.
type goldenArrival struct {
	Name     string `json:"name"`
	After    int    `json:"after_ms"`
	Phase    uint64 `json:"phase"`
	Number   string `json:"number"`
	Packet   octets `json:"packet"`
	Accepted bool   `json:"accepted"`
	Sending  uint64 `json:"sending_phase"`
}

// The rules of §7 and §8 for phases of keys and for replays.
func TestGoldenArrivals(t *testing.T) {
	traffic := fixed(t, 71)
	k := &Keys{send: keep(fixed(t, 72)), receive: keep(bytes.Clone(traffic))}
	c, err := NewCipher(k, ChaCha, start0)
	check(t, err)
	all := arrivals()
	var seen Window
	for i := range all {
		a := &all[i]
		number := goldenNumber(t, a.Number)
		a.Packet = sealAs(t, traffic, a.Phase, number)
		_, err := c.Open(start0.Add(time.Duration(a.After)*time.Millisecond), bytes.Clone(a.Packet), uint8(a.Phase&1), number)
		a.Accepted = err == nil && seen.Accept(number)
		a.Sending = c.send.phase
		if strings.Contains(a.Name, "dropped") == a.Accepted {
			t.Errorf("%s: %v", a.Name, err)
		}
	}
	golden(t, "arrivals", map[string]any{"traffic_secret": octets(traffic), "packets": all})
}

func arrivals() []goldenArrival {
	at := func(after int, phase, number uint64, name string) goldenArrival {
		return goldenArrival{Name: name, After: after, Phase: phase, Number: jsonNumber(number)}
	}
	return []goldenArrival{
		at(0, 0, 1, "the first"),
		at(0, 0, 0, "overtaken"),
		at(0, 0, 1, "again: dropped"),
		at(0, 0, 5, "with a gap"),
		at(0, 2, 100, "two phases ahead, whose bit is that of this one: dropped"),
		at(0, 3, 100, "three phases ahead: dropped"),
		at(0, 1, 10, "the next phase: sending follows"),
		at(0, 1, 10, "the next phase again: dropped"),
		at(10_000, 0, 6, "the phase before, after 10 s"),
		at(10_000, 0, 6, "the phase before again: dropped"),
		at(10_000, 0, 11, "the phase before, with a number of this one: dropped"),
		at(10_001, 0, 7, "the phase before, after more than 10 s: dropped"),
		at(10_001, 1, 8, "this phase, below its first number so far"),
		at(20_000, 1, 2100, "far ahead"),
		at(20_000, 1, 52, "2048 below the highest: dropped"),
		at(20_000, 1, 53, "2047 below the highest"),
		at(20_000, 1, 53, "2047 below the highest again: dropped"),
		at(30_000, 2, 2103, "one phase more: sending follows again"),
		at(30_000, 0, 2104, "two phases back, whose bit is that of this one: dropped"),
		at(30_000, 3, 2102, "the next phase with a number of the phase before: dropped"),
		at(30_000, 1, 2102, "the phase before that"),
		at(30_000, 2, 1<<62-1, "the last number"),
		at(30_000, 2, 2105, "far below it: dropped"),
	}
}

// sealAs seals a packet of any phase and number.
func sealAs(t *testing.T, traffic []byte, phase, number uint64) octets {
	t.Helper()
	s := keep(bytes.Clone(traffic))
	var k box[phaseKeys]
	for range phase + 1 {
		var err error
		k, err = derivePhase(ChaCha, &s)
		check(t, err)
	}
	h := header(uint8(phase&1), number)
	return k.get().aead.Seal(h, k.get().nonce(new([12]byte), number), []byte{1, 0}, h[:headerLen:headerLen])
}

func goldenNumber(t *testing.T, text string) (n uint64) {
	t.Helper()
	check(t, json.Unmarshal([]byte(text), &n))
	return n
}

// jsonNumber keeps all 64 bits from readers that know floats only.
func jsonNumber(n uint64) string {
	b, _ := json.Marshal(n)
	return string(b)
}
