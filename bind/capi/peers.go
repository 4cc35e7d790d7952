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
	c     *C.plq_node
	mu    sync.Mutex
	last  uint32
	ids   map[*peerlink.Peer]uint32
	known map[uint32]*known
	order []uint32 // of known, by age
}

// known is a peer as C was told.
type known struct {
	peer *peerlink.Peer
	rtt  time.Duration
	down bool // for ever: another node has its name
}

func newPeers(c *C.plq_node) peers {
	return peers{c: c, ids: make(map[*peerlink.Peer]uint32), known: make(map[uint32]*known)}
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
	k.rtt, k.down = p.RTT(), down
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

// refresh writes the round-trip times that changed.
func (t *peers) refresh() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.known {
		if k.peer.RTT() != k.rtt {
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

// number is put for a peer that is most probably up to date. 0 stands for no peer.
func (t *peers) number(p *peerlink.Peer) uint32 {
	if p == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if id, ok := t.ids[p]; ok {
		return id
	}
	return t.mirror(p, false)
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
		tcp_port: C.uint16_t(p.TCPPort()),
		rtt_us:   C.uint32_t(min(k.rtt.Microseconds(), 1<<32-1)),
	}
	copyText(info.id[:], p.ID().String())
	copyText(info.name[:], p.Name())
	copyText(info.addr[:], addrText(addr.Addr()))
	if p.Up() && !k.down {
		info.flags |= C.PL_PEER_UP
	}
	if p.Legacy() {
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
