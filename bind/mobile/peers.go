package peerlink

import (
	"net/netip"

	core "github.com/peerlink/peerlink/core"
)

// A Peer is another node, as it was when it was asked for.
type Peer struct {
	id, name, addr string
	fingerprint    string
	rtt            int64
	loss           float64
	legacy         bool
	encrypted      bool
	authenticated  bool
}

// PeerID identifies the peer for as long as it runs.
func (p *Peer) PeerID() string { return p.get().id }

// Name returns what calls use to address the peer.
func (p *Peer) Name() string { return p.get().name }

// Addr returns its address and UDP port, such as "192.168.1.5:49152".
func (p *Peer) Addr() string { return p.get().addr }

// RTTMicros returns the round-trip time in microseconds, smoothed; 0 if not measured yet.
func (p *Peer) RTTMicros() int64 { return p.get().rtt }

// Legacy tells a node of Python peerlink 1.x.
func (p *Peer) Legacy() bool { return p.get().legacy }

// Loss returns which share of the packets to the peer had to be sent again, 0 to 1; 0
// for a node of 1.x, where nobody can tell.
func (p *Peer) Loss() float64 { return p.get().loss }

// Encrypted tells whether there is an encrypted session with the peer. It is made when
// the peer is found, or at the first call.
func (p *Peer) Encrypted() bool { return p.get().encrypted }

// Authenticated tells whether the peer has proved that it has our secret.
func (p *Peer) Authenticated() bool { return p.get().authenticated }

// Fingerprint names the key of the peer, in 64 hexadecimal digits; "" while there is no
// session. Unlike PeerID it survives a restart, if the peer keeps its key.
func (p *Peer) Fingerprint() string { return p.get().fingerprint }

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
		id:            p.ID().String(),
		name:          p.Name(),
		addr:          p.Addr().String(),
		fingerprint:   keyText(p.Fingerprint()),
		rtt:           p.RTT().Microseconds(),
		loss:          p.Loss(),
		legacy:        p.Legacy(),
		encrypted:     p.Encrypted(),
		authenticated: p.Authenticated(),
	}
}

// keyText returns "" for no key.
func keyText(f core.Fingerprint) string {
	if f == (core.Fingerprint{}) {
		return ""
	}
	return f.String()
}
