package link

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

const (
	// maxAssemblies bounds the messages of one peer that are not complete.
	maxAssemblies = 256
	// assemblyPatience is how long one may wait for its next byte.
	assemblyPatience = time.Minute
	// maxParts bounds the pieces of one message that do not touch, which take memory
	// and time even if they are small.
	maxParts = 4096
)

var errTooFarAhead = errors.New("data beyond what may be under way")

// An assembly is a message of the peer that comes in parts.
type assembly struct {
	key   assemblyKey
	head  Incoming // what the first frame said, once it has come
	known bool     // it has
	total uint64
	buf   []byte
	have  spans
	moved time.Time // when something was added last
}

type assemblyKey struct {
	reply bool
	id    uint64
}

// add enters data and returns by how much memory it grew.
func (a *assembly) add(now time.Time, off uint64, data []byte) (grew int, err error) {
	end := off + uint64(len(data))
	if !a.fits(off, end) {
		return 0, errTooFarAhead
	}
	before := a.size()
	if uint64(len(a.buf)) < end {
		a.buf = slices.Grow(a.buf, int(end)-len(a.buf))[:end]
	}
	if a.have.add(off, end) {
		copy(a.buf[off:], data)
	}
	a.moved = now
	return a.size() - before, nil
}

// fits reports whether a sender that heeds the limits may send these bytes.
func (a *assembly) fits(off, end uint64) bool {
	return end <= a.total && off <= a.have.prefix()+maxAhead && len(a.have) <= maxParts
}

// size is how much memory it takes, but for what all take.
func (a *assembly) size() int { return cap(a.buf) + cap(a.have)*spanSize }

func (a *assembly) complete() bool {
	return a.known && a.have.prefix() == a.total
}

// take returns the message.
func (a *assembly) take() Incoming {
	in := a.head
	in.Data, in.Owned = a.buf[:a.total:a.total], true
	return in
}

// assemblies are those of one peer.
type assemblies struct {
	open   map[assemblyKey]*assembly
	held   int // bytes
	budget int
}

// find returns the assembly of a message, making one if there is room.
func (s *assemblies) find(key assemblyKey, total uint64, now time.Time) *assembly {
	if a := s.open[key]; a != nil {
		if a.total != total {
			return nil
		}
		return a
	}
	if len(s.open) >= maxAssemblies {
		return nil
	}
	if s.open == nil {
		s.open = make(map[assemblyKey]*assembly)
	}
	a := &assembly{key: key, total: total, moved: now}
	s.open[key] = a
	return a
}

// discard gives up a message, if it is being put together.
func (s *assemblies) discard(key assemblyKey) (found bool) {
	if len(s.open) == 0 {
		return false
	}
	a := s.open[key]
	if a != nil {
		s.remove(a)
	}
	return a != nil
}

func (s *assemblies) remove(a *assembly) {
	delete(s.open, a.key)
	s.held -= a.size()
}

// expire returns what has not moved for too long.
func (s *assemblies) expire(now time.Time) (dead []*assembly) {
	for _, a := range s.open {
		if now.Sub(a.moved) > assemblyPatience {
			dead = append(dead, a)
		}
	}
	return dead
}

// keepHead notes what the first frame said; its slices belong to the packet.
func (a *assembly) keepHead(in Incoming) {
	if a.known {
		return
	}
	in.Name, in.Data = bytes.Clone(in.Name), nil
	a.head, a.known = in, true
}
