package peerlink

import (
	"net/netip"

	core "github.com/peerlink/peerlink/core"
)

// A Peer is another node, as it was when it was asked for.
type Peer struct {
	id, name, addr string
	rtt            int64
	legacy         bool
}

// PeerID identifies the peer for as long as it runs.
func (p *Peer) PeerID() string { return p.get().id }

// Name returns what calls use to address the peer.
func (p *Peer) Name() string { return p.get().name }

// Addr returns its address and UDP port, such as "192.168.1.5:49152".
func (p *Peer) Addr() string { return p.get().addr }

// RTTMicros returns the round-trip time in microseconds, 0 if not measured yet.
func (p *Peer) RTTMicros() int64 { return p.get().rtt }

// Legacy tells a node of Python peerlink 1.x.
func (p *Peer) Legacy() bool { return p.get().legacy }

func (p *Peer) get() *Peer {
	if p == nil {
		return new(Peer)
	}
	return p
}

// A PeerList is a list of peers that does not change.
type PeerList struct{ peers []*Peer }

// Len returns how many peers the list holds.
func (l *PeerList) Len() int32 {
	if l == nil {
		return 0
	}
	return int32(len(l.peers))
}

// At returns the peer at i, counted from 0; null if there is none.
func (l *PeerList) At(i int32) *Peer {
	if i < 0 || i >= l.Len() {
		return nil
	}
	return l.peers[i]
}

// Peers returns the peers that are up, ordered by name.
func (n *Node) Peers() (list *PeerList) {
	list = new(PeerList)
	defer guard("peers")
	s := n.running()
	if s == nil {
		return list
	}
	for p := range s.core.Peers() {
		list.peers = append(list.peers, snapshot(p))
	}
	return list
}

// AddPeer adds a peer that discovery does not see: its name, its IP address and
// its UDP port. It stays until Stop.
func (n *Node) AddPeer(name, addr string, port int32) (err error) {
	defer export("add peer", &err)
	s := n.running()
	if s == nil {
		return closed("add peer")
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil || port < 1 || port > 65535 {
		return invalid("add peer", "not an IP address and port")
	}
	_, err = s.core.AddPeer(name, netip.AddrPortFrom(ip.Unmap(), uint16(port)), 0)
	return err
}

func snapshot(p *core.Peer) *Peer {
	return &Peer{
		id:     p.ID().String(),
		name:   p.Name(),
		addr:   p.Addr().String(),
		rtt:    p.RTT().Microseconds(),
		legacy: p.Legacy(),
	}
}
