package peerlink

import (
	"net/netip"
	"slices"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/link"
)

const (
	// tendEvery is how exactly liveness is timed.
	tendEvery = 250 * time.Millisecond
	// beatEvery keeps us in the lists of 1.x nodes, which forget for good after
	// 60 s whoever does not change a record.
	beatEvery = 20 * time.Second
)

// tend watches over the peers until the node closes.
func (n *Node) tend() {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	lastBeat := time.Now()
	var tended []*Peer
	for {
		select {
		case <-n.done:
			return
		case now := <-tick.C:
			peers := n.peers.all()
			for _, p := range peers {
				n.tendPeer(p, now)
			}
			tended = forgetPings(tended, peers)
			n.sweepSessions(now)
			if now.Sub(lastBeat) >= beatEvery && anyLegacy(peers) {
				n.heartbeat()
				lastBeat = now
			}
		}
	}
}

// sweepSessions ends those of no more use.
func (n *Node) sweepSessions(now time.Time) {
	n.shakes.sweep(now)
	for _, s := range n.sessions.list() {
		if s.sweep(now) {
			n.dropSession(s, CodeGone, !s.unproved.Load())
		}
	}
}

// forgetPings drops the pings to peers that are not listed any more.
func forgetPings(before, now []*Peer) []*Peer {
	if slices.Equal(before, now) { // nearly always
		return now
	}
	for _, p := range before {
		if !slices.Contains(now, p) {
			p.forgetPing()
			p.node.shakes.forget(p, errGone)
		}
	}
	return now
}

// tendPeer does what is due for one peer.
func (n *Node) tendPeer(p *Peer, now time.Time) {
	p.takePong()
	if heard := epoch.Add(time.Duration(p.heard.Load())); heard.After(p.lastHeard) {
		p.lastHeard = heard
		p.live.Heard(heard)
	}
	switch p.live.Tick(now) {
	case link.Ping:
		p.sendPing(now, []netip.AddrPort{p.Addr()})
	case link.Suspect:
		n.suspect(p)
		p.sendPing(now, p.state.Load().Addrs)
	case link.Dead:
		n.suspect(p)
		if p.Up() && (!p.Legacy() || p.Static()) { // of a 1.x node discovery decides: it may just be busy
			n.peers.update(func() []disco.Change { return n.peers.table.Silent(p.key) })
		}
		p.sendPing(now, p.state.Load().Addrs)
	}
}

// suspect has discovery ask for a peer that does not answer, but not all the time:
// it may just have a slow handler.
func (n *Node) suspect(p *Peer) {
	p.suspect.Store(true)
	if _, ok := p.asked.Allow(time.Now()); !ok {
		return
	}
	backends := n.discovery()
	for _, s := range n.peers.table.Sources(p.key) {
		if s.Backend >= 0 && s.Backend < len(backends) {
			backends[s.Backend].Reconfirm(s.Instance)
		}
	}
}

func anyLegacy(peers []*Peer) bool {
	for _, p := range peers {
		if state := p.state.Load(); state.Legacy && state.Found {
			return true
		}
	}
	return false
}

// heartbeat changes what we announce, and nothing else.
func (n *Node) heartbeat() {
	n.beat.Add(1)
	n.updateTXT()
}

// renamed follows discovery, which found that another node has our name.
func (n *Node) renamed(name string) {
	if !n.peers.rename(name) {
		return
	}
	n.log.Warn("the name is taken", "announced_as", name)
	n.updateTXT()
}

func (n *Node) updateTXT() {
	for _, b := range n.discovery() {
		b.Update(n.txt())
	}
}

// sink takes the sightings of one backend.
type sink struct {
	node    *Node
	backend int
}

func (s sink) Found(sighting Sighting) {
	s.node.peers.update(func() []disco.Change { return s.node.peers.table.Found(s.backend, sighting) })
}

func (s sink) Lost(instance string, why DownReason) {
	peers := s.node.peers
	peers.update(func() []disco.Change { return peers.table.Lost(s.backend, instance, why, peers.answers) })
}

func (s sink) Renamed(instance string) { s.node.renamed(instance) }

func (s sink) Failed(err error) {
	s.node.log.Warn("discovery sees nothing", "err", err)
}
