package link

import (
	"io"
	"net/netip"
	"time"

	"github.com/peerlink/peerlink/core/internal/wire"
)

const (
	maxPaths       = 8 // addresses of one peer that are being tried
	challengeEvery = time.Second
	challengeLife  = 5 * time.Second
	challengeSize  = wire.HeaderSize + 2 + 8 + wire.TagSize
)

// paths finds out where a peer can be reached.
type paths struct {
	random io.Reader
	tried  []path
	queue  []pathFrame
}

// A path is an address that was asked.
type path struct {
	addr netip.AddrPort
	data [8]byte
	sent time.Time
}

// A pathFrame goes out in a packet of its own, because of its address.
type pathFrame struct {
	to   netip.AddrPort
	typ  wire.FrameType
	data [8]byte
}

// arrived notes that a packet of size bytes came from an address that is not in use.
func (p *paths) arrived(now time.Time, from netip.AddrPort, size int) {
	if 3*size >= challengeSize { // RFC 9000 §8: who is not validated gets no more than that
		p.challenge(now, from)
	}
}

// challenge asks an address, unless it was asked within the last second.
func (p *paths) challenge(now time.Time, addr netip.AddrPort) {
	kept := p.tried[:0]
	for _, t := range p.tried {
		if now.Sub(t.sent) < challengeLife {
			kept = append(kept, t)
		}
	}
	p.tried = kept
	recent := 0
	for _, t := range p.tried {
		if t.addr == addr && now.Sub(t.sent) < challengeEvery {
			return
		}
		recent++
	}
	if recent >= maxPaths || len(p.queue) >= 2*maxPaths {
		return
	}
	t := path{addr: addr, sent: now}
	if _, err := io.ReadFull(p.random, t.data[:]); err != nil {
		return
	}
	p.tried = append(p.tried, t)
	p.queue = append(p.queue, pathFrame{addr, wire.FramePathChallenge, t.data})
}

// answer queues the answer to a challenge.
func (p *paths) answer(to netip.AddrPort, data [8]byte) {
	if len(p.queue) < 2*maxPaths {
		p.queue = append(p.queue, pathFrame{to, wire.FramePathResponse, data})
	}
}

// answered returns when addr was asked that, if it was; each answer counts once.
func (p *paths) answered(now time.Time, addr netip.AddrPort, data [8]byte) (asked time.Time, ok bool) {
	for i, t := range p.tried {
		if t.addr == addr && t.data == data && now.Sub(t.sent) < challengeLife {
			p.tried = append(p.tried[:i], p.tried[i+1:]...)
			return t.sent, true
		}
	}
	return asked, false
}

func (p *paths) next() (pathFrame, bool) {
	if len(p.queue) == 0 {
		return pathFrame{}, false
	}
	f := p.queue[0]
	p.queue = append(p.queue[:0], p.queue[1:]...)
	return f, true
}
