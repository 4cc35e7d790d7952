package main

// #include "plq.h"
import "C"

import (
	"net/netip"
	"sync"
	"time"
	"unsafe"

	peerlink "github.com/peerlink/peerlink/core"
)

// maxPeers is how many peers the snapshot knows, up or not: some more than core.
const maxPeers = 4096

// peers numbers the peers of core, and mirrors them in C.
type peers struct {
	c      *C.plq_node
	secret bool // peers have something to prove
	mu     sync.Mutex
	last   uint32
	ids    map[*peerlink.Peer]uint32
	known  map[uint32]*known
	order  []uint32 // of known, by age
}

// known is a peer as C was told.
type known struct {
	peer *peerlink.Peer
	line line
	down bool // for ever: another node has its name
	safe bool // C was told of its session, and that it is authenticated if it can be
}

// line is what changes without an event.
type line struct {
	rtt                      time.Duration
	lossPPM                  uint32
	key                      peerlink.Fingerprint // zero: no session
	encrypted, authenticated bool
	legacy                   bool // a peer that was given by its address shows it
	tcpPort                  uint16
}

func lineOf(p *peerlink.Peer) line {
	return line{
		rtt: p.RTT(), lossPPM: uint32(p.Loss() * 1e6), key: p.Fingerprint(),
		encrypted: p.Encrypted(), authenticated: p.Authenticated(), legacy: p.Legacy(), tcpPort: p.TCPPort(),
	}
}

func newPeers(c *C.plq_node, secret bool) peers {
	return peers{c: c, secret: secret, ids: make(map[*peerlink.Peer]uint32), known: make(map[uint32]*known)}
}

// put brings the snapshot up to date for p and returns its number.
func (t *peers) put(p *peerlink.Peer) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mirror(p, false)
}

// putDown is put for a peer that was replaced.
func (t *peers) putDown(p *peerlink.Peer) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mirror(p, true)
}

func (t *peers) mirror(p *peerlink.Peer, down bool) uint32 {
	id, ok := t.ids[p]
	if !ok {
		t.evict()
		t.last++
		id = t.last
		t.ids[p] = id
		t.known[id] = &known{peer: p}
		t.order = append(t.order, id)
	}
	k := t.known[id]
	k.line, k.down = lineOf(p), down
	k.safe = k.line.encrypted && (k.line.authenticated || !t.secret)
	info := peerInfo(id, p, k)
	C.plq_peer_put(t.c, &info)
	return id
}

// evict makes room for one more: it forgets the oldest that is not up.
func (t *peers) evict() {
	if len(t.order) < maxPeers {
		return
	}
	for i, id := range t.order {
		if k := t.known[id]; k.down || !k.peer.Up() {
			delete(t.ids, k.peer)
			delete(t.known, id)
			t.order = append(t.order[:i], t.order[i+1:]...)
			C.plq_peer_drop(t.c, C.pl_peer(id))
			return
		}
	}
}

// refresh writes what changed without an event.
func (t *peers) refresh() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.known {
		if lineOf(k.peer) != k.line {
			t.mirror(k.peer, k.down)
		}
	}
}

// get returns the peer of a number, or nil.
func (t *peers) get(id uint32) *peerlink.Peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.known[id]; k != nil {
		return k.peer
	}
	return nil
}

// spoke is called when there was a call: whoever asks right after it shall find that
// there is a session.
func (t *peers) spoke(p *peerlink.Peer) {
	if p == nil || !p.Encrypted() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if id, ok := t.ids[p]; ok && !t.known[id].safe {
		t.mirror(p, t.known[id].down)
	}
}

// number is put for a peer that is most probably up to date. 0 stands for no peer.
func (t *peers) number(p *peerlink.Peer) uint32 {
	if p == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if id, ok := t.ids[p]; ok && (t.known[id].safe || !p.Encrypted()) {
		return id
	}
	return t.mirror(p, t.isDown(p))
}

// isDown reports whether p is known to be replaced.
func (t *peers) isDown(p *peerlink.Peer) bool {
	k := t.known[t.ids[p]]
	return k != nil && k.down
}

// clear forgets all; numbers are not used again.
func (t *peers) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.ids)
	clear(t.known)
	t.order = nil
	C.plq_peer_drop(t.c, 0)
}

func peerInfo(id uint32, p *peerlink.Peer, k *known) C.pl_peer_info {
	addr := p.Addr()
	info := C.pl_peer_info{
		size:     C.uint32_t(unsafe.Sizeof(C.pl_peer_info{})),
		peer:     C.pl_peer(id),
		udp_port: C.uint16_t(addr.Port()),
		tcp_port: C.uint16_t(k.line.tcpPort),
		rtt_us:   C.uint32_t(min(k.line.rtt.Microseconds(), 1<<32-1)),
		loss_ppm: C.uint32_t(k.line.lossPPM),
	}
	if k.line.key != (peerlink.Fingerprint{}) {
		copyText(info.fingerprint[:], k.line.key.String())
	}
	if k.line.encrypted {
		info.flags |= C.PL_PEER_ENCRYPTED
	}
	if k.line.authenticated {
		info.flags |= C.PL_PEER_AUTHENTICATED
	}
	copyText(info.id[:], p.ID().String())
	copyText(info.name[:], p.Name())
	copyText(info.addr[:], addrText(addr.Addr()))
	if p.Up() && !k.down {
		info.flags |= C.PL_PEER_UP
	}
	if k.line.legacy {
		info.flags |= C.PL_PEER_LEGACY
	}
	if p.Static() {
		info.flags |= C.PL_PEER_STATIC
	}
	return info
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// copyText copies s and leaves a NUL behind it.
func copyText(dst []C.char, s string) {
	s = clip(s, len(dst)-1)
	for i := range len(s) {
		dst[i] = C.char(s[i])
	}
}
