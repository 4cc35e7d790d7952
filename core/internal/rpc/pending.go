// Package rpc keeps the calls that wait for an answer.
package rpc

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	mrand "math/rand/v2"
	"sync"
)

// IDLen is the length of a call ID: a UUID in text form (RFC 9562), which is what
// 1.x nodes write. It is what stands between an attacker who cannot see our
// datagrams and a forged answer, so it comes from a cryptographic generator.
const IDLen = 36

var (
	// ErrTooMany says that MaxPending calls wait already.
	ErrTooMany = errors.New("too many calls are waiting for an answer")
	// ErrClosed says that the table was closed.
	ErrClosed = errors.New("closed")
)

// MaxPending bounds the calls of one node that wait at the same time.
const MaxPending = 1 << 16

// A Call waits for its answer.
type Call[R any] struct {
	ID [IDLen]byte

	done func(R)
}

// Pending is the table of calls that wait. It is safe for concurrent use.
//
// A call leaves the table once: by Answer, Remove or Close. Whichever takes it out
// is the one that tells whoever waits.
type Pending[R any] struct {
	mu     sync.Mutex
	rnd    *mrand.ChaCha8
	calls  map[[IDLen]byte]*Call[R]
	closed bool
}

// NewPending returns an empty table.
func NewPending[R any]() *Pending[R] {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails, see crypto/rand
	return &Pending[R]{rnd: mrand.NewChaCha8(seed), calls: make(map[[IDLen]byte]*Call[R])}
}

// Add enters a call under a new ID. done gets its answer, on the goroutine that
// calls Answer or Close, so it must not block.
func (p *Pending[R]) Add(c *Call[R], done func(R)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return ErrClosed
	case len(p.calls) >= MaxPending:
		return ErrTooMany
	}
	c.ID, c.done = p.newID(), done
	p.calls[c.ID] = c
	return nil
}

// newID makes a version 4 UUID.
func (p *Pending[R]) newID() (id [IDLen]byte) {
	var b [16]byte
	_, _ = p.rnd.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var h [32]byte
	hex.Encode(h[:], b[:])
	copy(id[0:], h[0:8])
	copy(id[9:], h[8:12])
	copy(id[14:], h[12:16])
	copy(id[19:], h[16:20])
	copy(id[24:], h[20:])
	id[8], id[13], id[18], id[23] = '-', '-', '-', '-'
	return id
}

// Answer hands r to the call of that ID and reports whether one was waiting. Of
// several answers the first counts.
func (p *Pending[R]) Answer(id []byte, r R) bool {
	if len(id) != IDLen {
		return false
	}
	key := [IDLen]byte(id)
	p.mu.Lock()
	c := p.calls[key]
	delete(p.calls, key)
	p.mu.Unlock()
	if c == nil {
		return false
	}
	c.done(r)
	return true
}

// Remove takes a call out that nobody waits for any more, and reports whether it
// was still there: if not, its answer is on its way.
func (p *Pending[R]) Remove(c *Call[R]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, waiting := p.calls[c.ID]
	delete(p.calls, c.ID)
	return waiting
}

// Waiting reports whether a call is still in the table.
func (p *Pending[R]) Waiting(c *Call[R]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, waiting := p.calls[c.ID]
	return waiting
}

// Close gives all calls the answer r and takes no more.
func (p *Pending[R]) Close(r R) {
	p.mu.Lock()
	calls := p.calls
	p.calls, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range calls {
		c.done(r)
	}
}

// Len returns how many calls wait.
func (p *Pending[R]) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}
