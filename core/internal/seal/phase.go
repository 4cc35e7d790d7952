package seal

import (
	"crypto/cipher"
	"encoding/binary"
)

// phaseKeys are those of one phase of one direction.
type phaseKeys struct {
	aead cipher.AEAD
	iv   [12]byte
}

// nonce puts together the nonce of a packet in buf.
func (k *phaseKeys) nonce(buf *[12]byte, number uint64) []byte {
	copy(buf[:4], k.iv[:4])
	binary.BigEndian.PutUint64(buf[4:], binary.BigEndian.Uint64(k.iv[4:])^number)
	return buf[:]
}

// derivePhase returns the keys of a traffic secret, and leaves the next traffic
// secret in its place.
func derivePhase(s Suite, traffic *secret) (box[phaseKeys], error) {
	key := expand(traffic.get()[:], "peerlink 1 key", 32)
	defer clear(key)
	aead, err := newAEAD(s, key)
	if err != nil {
		return box[phaseKeys]{}, err
	}
	k := &phaseKeys{aead: aead}
	copy(k.iv[:], expand(traffic.get()[:], "peerlink 1 iv", 12))
	next := keep(expand(traffic.get()[:], "peerlink 1 update", 32))
	traffic.zero()
	*traffic = next
	return boxed(k), nil
}

// forget overwrites what it can of keys.
func forget(k *box[phaseKeys]) {
	if keys := k.get(); keys != nil {
		*keys = phaseKeys{}
		*k = box[phaseKeys]{}
	}
}

// A direction holds the keys of its phase, and those of the next one made
// already: a packet that claims to be of it costs no derivation, forged or not.
type direction struct {
	suite     Suite
	phase     uint64
	now, next box[phaseKeys]
	secret    secret // of the phase after next
}

func newDirection(s Suite, traffic secret) (d direction, err error) {
	d = direction{suite: s, secret: traffic.clone()}
	if d.now, err = derivePhase(s, &d.secret); err != nil {
		return d, err
	}
	d.next, err = derivePhase(s, &d.secret)
	return d, err
}

// step moves to the next phase.
func (d *direction) step() {
	d.phase++
	d.now = d.next                              // those before are the caller's to forget
	d.next, _ = derivePhase(d.suite, &d.secret) // cannot fail, as it has not before
}

func (d *direction) zero() {
	d.secret.zero()
	forget(&d.now)
	forget(&d.next)
}
