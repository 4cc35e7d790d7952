package seal

import (
	"bytes"
	"errors"
	"io"

	"github.com/flynn/noise"
)

const (
	// MaxHello is the longest HELLO, in bytes.
	MaxHello = 256

	keyLen = 32
	tagLen = 16

	// Lengths of Noise messages without their payload.
	firstLen    = keyLen + tagLen
	responseLen = keyLen + keyLen + tagLen + tagLen
	finishLen   = keyLen + tagLen + tagLen
	resumeLen   = keyLen + keyLen + tagLen + tagLen
	resumedLen  = keyLen + tagLen
)

var (
	// ErrHandshake says that a handshake message is forged, damaged, or of
	// somebody with another secret. Which of them cannot be told.
	ErrHandshake = errors.New("seal: handshake message does not verify")

	errOrder = errors.New("seal: handshake call out of order")
	errHello = errors.New("seal: HELLO too long")
)

var noiseSuite = noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashBLAKE2s)

// A stage is what a handshake waits for.
type stage uint8

const (
	over     stage = iota
	response       // the initiator, for RESP
	answered       // the initiator, for Finish
	finish         // the responder, for FIN
	resumed        // the initiator, for RESUMED
)

// A Handshake is one under way, on either side:
//
//	Initiate ────────── INIT ─────────> Respond
//	ReadResponse <───── RESP ───────────
//	Finish ──────────── FIN ──────────> ReadFinish
//
//	InitiateResume ──── RESUME ───────> RespondResume
//	ReadResumed <────── RESUMED ────────
//
// A message that does not verify leaves it as it was, so that forgeries cannot
// end it. A repeated message is refused; the caller answers it with what it sent
// before.
type Handshake struct {
	shown
	config box[noise.Config]
	state  box[noise.HandshakeState]
	stage  stage
	peer   [32]byte

	// To start anew with, until the answer has verified.
	ephemeral secret
	hello     []byte
}

// Initiate begins a handshake in a realm. The message it returns, 48 bytes, goes
// into INIT; prologue is "PeerLink 1" and the first 16 bytes of that INIT.
func Initiate(id *Identity, r *Realm, prologue []byte, random io.Reader) (*Handshake, []byte, error) {
	config, err := configXX(id, r, prologue)
	if err != nil {
		return nil, nil, err
	}
	config.Initiator = true
	return start(config, nil, response, random)
}

// Respond reads the Noise message of an INIT and returns that of the RESP, with
// hello inside.
func Respond(id *Identity, r *Realm, prologue, msg, hello []byte, random io.Reader) (*Handshake, []byte, error) {
	if len(hello) > MaxHello {
		return nil, nil, errHello
	}
	config, err := configXX(id, r, prologue)
	if err != nil {
		return nil, nil, err
	}
	h, err := newHandshake(config, random)
	if err != nil {
		return nil, nil, err
	}
	defer h.ephemeral.zero()
	if _, _, _, err := h.read(msg, firstLen, 0); err != nil {
		return nil, nil, err
	}
	out, _, _, err := h.state.get().WriteMessage(nil, hello)
	if err != nil {
		return nil, nil, ErrHandshake // its ephemeral key is a point of low order
	}
	h.stage = finish
	return h, out, nil
}

// ReadResponse reads the Noise message of a RESP and returns the HELLO in it.
// PeerKey says from whom; that the peer knows the secret is not proven before
// the first DATA packet from it.
func (h *Handshake) ReadResponse(msg []byte) (hello []byte, err error) {
	if h.stage != response {
		return nil, errOrder
	}
	hello, _, _, err = h.read(msg, responseLen, MaxHello)
	if err != nil {
		return nil, h.restart(err)
	}
	h.peer = [32]byte(h.state.get().PeerStatic())
	h.stage = answered
	h.ephemeral.zero()
	return hello, nil
}

// Finish returns the Noise message of the FIN, with hello inside, and the keys.
// The handshake is over.
func (h *Handshake) Finish(hello []byte) (msg []byte, keys *Keys, err error) {
	switch {
	case h.stage != answered:
		return nil, nil, errOrder
	case len(hello) > MaxHello:
		return nil, nil, errHello
	}
	msg, k1, k2, err := h.state.get().WriteMessage(nil, hello)
	if err != nil {
		return nil, nil, ErrHandshake
	}
	return msg, h.end(k1, k2), nil
}

// ReadFinish reads the Noise message of a FIN and returns the HELLO in it and
// the keys: the peer knows the secret and has the key that PeerKey returns. The
// handshake is over.
func (h *Handshake) ReadFinish(msg []byte) (hello []byte, keys *Keys, err error) {
	if h.stage != finish {
		return nil, nil, errOrder
	}
	// The library rolls back its hashes on failure, the copy does the rest. To
	// start anew, as the initiator does, would let a forged FIN cost us four
	// Diffie-Hellmans.
	saved := *h.state.get()
	hello, k1, k2, err := h.read(msg, finishLen, MaxHello)
	if err != nil {
		*h.state.get() = saved
		return nil, nil, err
	}
	h.peer = [32]byte(h.state.get().PeerStatic())
	return hello, h.end(k1, k2), nil
}

// PeerKey returns the static public key of the peer, zeros while it is unknown.
func (h *Handshake) PeerKey() [32]byte { return h.peer }

// Peer returns the fingerprint of PeerKey.
func (h *Handshake) Peer() Fingerprint { return fingerprint(h.peer) }

// Zero overwrites the keys of a handshake that is given up. It is over then.
func (h *Handshake) Zero() {
	h.ephemeral.zero()
	h.drop()
	if config := h.config.get(); config != nil {
		clear(config.PresharedKey)
	}
	h.state, h.config, h.stage = box[noise.HandshakeState]{}, box[noise.Config]{}, over
}

// drop overwrites what can be reached of the library's state.
func (h *Handshake) drop() {
	if state := h.state.get(); state != nil {
		clear(state.LocalEphemeral().Private)
	}
}

func configXX(id *Identity, r *Realm, prologue []byte) (noise.Config, error) {
	if r == nil || r.psk.get() == nil {
		return noise.Config{}, errGone
	}
	return config(noise.HandshakeXX, 3, id, r.psk.clone(), prologue)
}

// config takes psk over, so that it stays what it is until the handshake is over.
func config(pattern noise.HandshakePattern, place int, id *Identity, psk secret, prologue []byte) (noise.Config, error) {
	if id == nil || id.private.get() == nil {
		psk.zero()
		return noise.Config{}, errGone
	}
	return noise.Config{
		CipherSuite:           noiseSuite,
		Pattern:               pattern,
		Prologue:              bytes.Clone(prologue),
		PresharedKey:          psk.get()[:],
		PresharedKeyPlacement: place,
		StaticKeypair:         noise.DHKey{Private: id.private.get()[:], Public: bytes.Clone(id.public[:])},
	}, nil
}

// newHandshake draws the ephemeral key first, so that whatever fails later is
// the message's fault.
func newHandshake(config noise.Config, random io.Reader) (*Handshake, error) {
	b, err := readKey(random)
	if err != nil {
		return nil, err
	}
	h := &Handshake{shown: shown{"[handshake]"}, config: boxed(&config), ephemeral: keep(b)}
	return h, h.reset()
}

// reset puts the handshake before its first message.
func (h *Handshake) reset() error {
	h.drop()
	config := h.config.get()
	config.Random = bytes.NewReader(h.ephemeral.get()[:])
	state, err := noise.NewHandshakeState(*config)
	h.state = boxed(state)
	return err
}

// start begins the initiator's side.
func start(config noise.Config, hello []byte, next stage, random io.Reader) (*Handshake, []byte, error) {
	h, err := newHandshake(config, random)
	if err != nil {
		return nil, nil, err
	}
	h.hello, h.stage = bytes.Clone(hello), next
	msg, _, _, err := h.state.get().WriteMessage(nil, h.hello)
	if err != nil {
		h.Zero()
		return nil, nil, ErrHandshake // the key we resume with is a point of low order
	}
	return h, msg, nil
}

// restart makes the initiator wait for another answer: after a bad one the state
// of the library is of no more use. It returns why.
func (h *Handshake) restart(why error) error {
	if err := h.reset(); err != nil {
		return err
	}
	if _, _, _, err := h.state.get().WriteMessage(nil, h.hello); err != nil {
		return err
	}
	return why
}

// read checks the length of a message, overhead and at most payload bytes, and
// has it verified.
func (h *Handshake) read(msg []byte, overhead, payload int) ([]byte, *noise.CipherState, *noise.CipherState, error) {
	if len(msg) < overhead || len(msg) > overhead+payload {
		return nil, nil, nil, ErrHandshake
	}
	hello, k1, k2, err := h.state.get().ReadMessage(nil, msg)
	if err != nil {
		return nil, nil, nil, ErrHandshake
	}
	return hello, k1, k2, nil
}

// end derives the keys and forgets the rest but for the peer.
func (h *Handshake) end(c1, c2 *noise.CipherState) *Keys {
	k1, k2 := c1.UnsafeKey(), c2.UnsafeKey()
	keys := deriveKeys(&k1, &k2, h.state.get().ChannelBinding(), h.config.get().Initiator)
	keys.peer = h.peer
	h.Zero()
	return keys
}
