package seal

import (
	"errors"
	"time"
)

const (
	headerLen = 16

	// A key update is due half-way to the 2^32 packets that the protocol allows:
	// it has to wait for an acknowledgement.
	defaultMaxPackets = 1 << 31
	hardMaxPackets    = 1 << 32

	maxNumber = 1<<62 - 1 // that an ACK can name

	defaultMaxAge = 15 * time.Minute
	oldKeys       = 10 * time.Second // how long the phase before is accepted
)

// ErrPacket says that a packet is forged, damaged, or sealed with keys that are
// gone.
var ErrPacket = errors.New("seal: packet does not verify")

// A Cipher seals and opens the packets of one session. Both directions count
// phases of keys; the lowest bit of the phase is in each packet.
//
//	       Tick, when due and acknowledged
//	send n ──────────────────────────────> send n+1 ── answer in n+1 ──> receive n+1
//
//	          Open of a packet of n+1
//	receive n ───────────────────────> receive n+1, send n+1
//
// So sending is never more than one phase ahead, and never behind.
type Cipher struct {
	shown

	MaxPackets uint64        // packets in one phase that make an update due
	MaxAge     time.Duration // age of a phase that makes an update due

	send   direction
	born   time.Time // of the sending phase
	sealed uint64    // packets in it
	first  uint64    // no packet below was sealed in it
	next   uint64    // packet number, nor one from here on
	acked  bool      // a packet of it was acknowledged

	receive direction
	lowest  uint64         // number that was opened in the receiving phase
	old     box[phaseKeys] // the phase before
	moved   time.Time      // when it became that

	nonce [12]byte // here, as on the stack it would escape
}

// NewCipher returns the cipher of a session that begins now, of one suite. It
// copies what it needs of k.
func NewCipher(k *Keys, suite Suite, now time.Time) (*Cipher, error) {
	if k == nil || k.send.get() == nil || k.receive.get() == nil {
		return nil, errGone
	}
	c := &Cipher{shown: shown{"[cipher]"}, MaxPackets: defaultMaxPackets, MaxAge: defaultMaxAge, born: now}
	var err error
	if c.send, err = newDirection(suite, k.send); err != nil {
		return nil, err
	}
	if c.receive, err = newDirection(suite, k.receive); err != nil {
		return nil, err
	}
	return c, nil
}

// Phase returns the key phase bit of the packets sealed now. Only Tick and Open
// change it.
func (c *Cipher) Phase() uint8 { return uint8(c.send.phase & 1) }

// Seal encrypts packet, a header of 16 bytes and plaintext, in place and returns
// it with the tag behind; it allocates if there is no capacity for that. Numbers
// must rise, and be below 2^62. It returns nil, and has done nothing, for a number
// that does not, a packet without a header, after Zero, and after 2^32 packets in
// one phase.
func (c *Cipher) Seal(packet []byte, number uint64) []byte {
	k := c.send.now.get()
	if len(packet) < headerLen || k == nil ||
		number < c.next || number > maxNumber || c.sealed >= hardMaxPackets {
		return nil
	}
	c.next = number + 1
	c.sealed++
	header := packet[:headerLen:headerLen]
	return k.aead.Seal(packet[:headerLen], k.nonce(&c.nonce, number), packet[headerLen:], header)
}

// Open verifies packet, a header of 16 bytes, ciphertext and tag, decrypts it in
// place and returns the plaintext. phase is the key phase bit, number the packet
// number in the header. It does not look for replays. On an error the cipher is
// as before, but what follows the header is destroyed.
func (c *Cipher) Open(now time.Time, packet []byte, phase uint8, number uint64) (plaintext []byte, err error) {
	if len(packet) < headerLen+tagLen {
		return nil, ErrPacket
	}
	k := c.keysFor(now, phase, number)
	if k == nil {
		return nil, ErrPacket
	}
	header, body := packet[:headerLen:headerLen], packet[headerLen:]
	plaintext, err = k.aead.Open(body[:0], k.nonce(&c.nonce, number), body, header)
	if err != nil {
		return nil, ErrPacket
	}
	switch k {
	case c.receive.now.get():
		c.lowest = min(c.lowest, number)
	case c.receive.next.get():
		c.follow(now, number)
	}
	return plaintext, nil
}

// keysFor returns the only keys that can be right. Numbers rise with phases, so
// that the other bit below what we have of this phase is the phase before, and
// above it the next: nothing has to be tried twice. It returns nil if they are
// not there.
func (c *Cipher) keysFor(now time.Time, phase uint8, number uint64) *phaseKeys {
	switch {
	case phase&1 == uint8(c.receive.phase&1):
		return c.receive.now.get()
	case number >= c.lowest:
		return c.receive.next.get()
	default:
		c.expire(now)
		return c.old.get()
	}
}

// follow moves to the phase that the peer has moved to.
func (c *Cipher) follow(now time.Time, number uint64) {
	forget(&c.old)
	c.old, c.moved, c.lowest = c.receive.now, now, number
	c.receive.step()
	if c.send.phase < c.receive.phase {
		c.update(now)
	}
}

// Tick moves to the next phase of sending if that is due and the peer has
// acknowledged a packet of this one, and drops keys that were kept long enough.
// It is to be called every few seconds.
func (c *Cipher) Tick(now time.Time) {
	c.expire(now)
	due := c.sealed >= c.MaxPackets || now.Sub(c.born) >= c.MaxAge
	if due && c.acked && c.send.phase == c.receive.phase {
		c.update(now)
	}
}

func (c *Cipher) update(now time.Time) {
	forget(&c.send.now)
	c.send.step()
	c.born, c.sealed, c.first, c.acked = now, 0, c.next, false
}

// expire drops the keys of the phase before after their time.
func (c *Cipher) expire(now time.Time) {
	if now.Sub(c.moved) > oldKeys {
		forget(&c.old)
	}
}

// Acknowledged tells that the peer has acknowledged our packet of this number.
func (c *Cipher) Acknowledged(number uint64) {
	if number >= c.first && number < c.next {
		c.acked = true
	}
}

// Zero overwrites what it can of the keys. Nothing can be sealed or opened any
// more.
func (c *Cipher) Zero() {
	c.send.zero()
	c.receive.zero()
	forget(&c.old)
}
