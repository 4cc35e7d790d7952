package seal

import (
	"fmt"
	"io"

	"github.com/flynn/noise"
)

// A Resumption is what one session leaves to make the next one quicker. Whoever
// keeps it counts its 24 hours.
type Resumption struct {
	shown
	Ticket [16]byte // names it on the wire
	Peer   [32]byte // static public key
	secret secret
}

func newResumption(s secret, peer [32]byte) *Resumption {
	r := &Resumption{Peer: peer, secret: s}
	copy(r.Ticket[:], expand(s.get()[:], "peerlink 1 ticket", len(r.Ticket)))
	r.shown = shown{fmt.Sprintf("[resumption %x]", r.Ticket)}
	return r
}

// Zero overwrites the secret.
func (r *Resumption) Zero() { r.secret.zero() }

// psk binds the resumption to the realm: who lost the secret cannot resume.
func (r *Resumption) psk(realm *Realm) (secret, error) {
	if r == nil || realm == nil || r.secret.get() == nil || realm.psk.get() == nil {
		return secret{}, errGone
	}
	both := append(append(make([]byte, 0, 64), r.secret.get()[:]...), realm.psk.get()[:]...)
	defer clear(both)
	return keep(expand(both, "peerlink 1 resume psk", 32)), nil
}

// InitiateResume begins a handshake of one round trip with the peer of res. The
// message it returns goes into RESUME, with hello inside; prologue is
// "PeerLink 1" and the first 16 bytes of that RESUME.
func InitiateResume(id *Identity, r *Realm, res *Resumption, prologue, hello []byte, random io.Reader) (*Handshake, []byte, error) {
	if len(hello) > MaxHello {
		return nil, nil, errHello
	}
	psk, err := res.psk(r)
	if err != nil {
		return nil, nil, err
	}
	config, err := config(noise.HandshakeIK, 2, id, psk, prologue)
	if err != nil {
		return nil, nil, err
	}
	config.Initiator = true
	config.PeerStatic = append([]byte(nil), res.Peer[:]...)
	h, msg, err := start(config, hello, resumed, random)
	if err != nil {
		return nil, nil, err
	}
	h.peer = res.Peer
	return h, msg, nil
}

// ReadResumed reads the Noise message of a RESUMED and returns the HELLO in it
// and the keys. The handshake is over.
func (h *Handshake) ReadResumed(msg []byte) (hello []byte, keys *Keys, err error) {
	if h.stage != resumed {
		return nil, nil, errOrder
	}
	hello, k1, k2, err := h.read(msg, resumedLen, MaxHello)
	if err != nil {
		return nil, nil, h.restart(err)
	}
	return hello, h.end(k1, k2), nil
}

// RespondResume reads the Noise message of a RESUME, which must come from the
// peer of res, and returns the HELLO in it, the Noise message of the RESUMED,
// with hello inside, and the keys. The RESUME may be a replay: nothing it says
// counts before a DATA packet has verified.
func RespondResume(id *Identity, r *Realm, res *Resumption, prologue, msg, hello []byte, random io.Reader) (peerHello, msg2 []byte, keys *Keys, err error) {
	if len(hello) > MaxHello {
		return nil, nil, nil, errHello
	}
	psk, err := res.psk(r)
	if err != nil {
		return nil, nil, nil, err
	}
	config, err := config(noise.HandshakeIK, 2, id, psk, prologue)
	if err != nil {
		return nil, nil, nil, err
	}
	h, err := newHandshake(config, random)
	if err != nil {
		return nil, nil, nil, err
	}
	defer h.Zero()
	peerHello, _, _, err = h.read(msg, resumeLen, MaxHello)
	if err != nil || [32]byte(h.state.get().PeerStatic()) != res.Peer {
		return nil, nil, nil, ErrHandshake
	}
	msg2, k1, k2, err := h.state.get().WriteMessage(nil, hello)
	if err != nil {
		return nil, nil, nil, ErrHandshake
	}
	h.peer = res.Peer
	return peerHello, msg2, h.end(k1, k2), nil
}
