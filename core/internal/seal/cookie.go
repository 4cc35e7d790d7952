package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net/netip"
	"time"
)

// cookieEpoch is how long cookies are made alike; they are valid for this to
// twice this.
const cookieEpoch = 2 * time.Minute

// A Jar makes cookies, by which a responder under load knows that an initiator
// gets what is sent to its address, and keeps nothing of it. It is safe for
// concurrent use.
type Jar struct {
	shown
	key secret
}

// NewJar returns a jar with a key of its own.
func NewJar(random io.Reader) (*Jar, error) {
	b, err := readKey(random)
	if err != nil {
		return nil, err
	}
	return &Jar{shown{"[jar]"}, keep(b)}, nil
}

// Cookie returns the cookie for a session number at an address.
func (j *Jar) Cookie(now time.Time, addr netip.AddrPort, session uint32) [16]byte {
	return j.bake(epoch(now), addr, session)
}

// Valid reports whether Cookie returned this one for the same at most two
// minutes ago; up to four it may. It takes the same time for every cookie.
func (j *Jar) Valid(now time.Time, addr netip.AddrPort, session uint32, cookie [16]byte) bool {
	e := epoch(now)
	this, last := j.bake(e, addr, session), j.bake(e-1, addr, session)
	isThis, isLast := hmac.Equal(this[:], cookie[:]), hmac.Equal(last[:], cookie[:])
	return isThis || isLast
}

// epoch counts the keys by the clock: with the number under the MAC there is
// nothing to rotate.
func epoch(now time.Time) uint64 {
	return uint64(now.Unix()) / uint64(cookieEpoch/time.Second)
}

// bake is HMAC-SHA256 of epoch, address, port, session number and zone.
func (j *Jar) bake(epoch uint64, addr netip.AddrPort, session uint32) (cookie [16]byte) {
	ip := addr.Addr().As16()
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 64), epoch)
	b = append(b, ip[:]...)
	b = binary.BigEndian.AppendUint16(b, addr.Port())
	b = binary.BigEndian.AppendUint32(b, session)
	b = append(b, addr.Addr().Zone()...)
	mac := hmac.New(sha256.New, j.key.get()[:])
	mac.Write(b)
	copy(cookie[:], mac.Sum(nil))
	return cookie
}
