package peerlink

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/legacy"
	"github.com/peerlink/peerlink/core/internal/limit"
	"github.com/peerlink/peerlink/core/internal/link"
	"github.com/peerlink/peerlink/core/internal/rpc"
)

// A Peer is another node. It stays valid, and follows the node, when addresses
// change. A node that is restarted is another Peer.
type Peer struct {
	node    *Node
	key     uint32
	state   atomic.Pointer[disco.Peer] // replaced by peerSet only
	rtt     atomic.Int64               // last measured round trip, ns
	heard   atomic.Int64               // when something last came from it, ns since epoch
	suspect atomic.Bool                // it missed a ping: take any address it answers from
	addrs   []netip.AddrPort           // its entries in peerSet.byAddr; peerSet's alone
	session atomic.Pointer[session]    // in use; nil if there is none
	proven  atomic.Pointer[session]    // the last that the table was told of
	dialect atomic.Int32               // dialectUnknown and so on
	resume  atomic.Pointer[resumption] // what a session left
	dial    *dial                      // under way, or nil; that of handshakes alone
	asked   limit.Line                 // how often discovery is asked for it

	// These are tend's alone.
	live      link.Liveness
	lastHeard time.Time
	ping      *rpc.Call[reply] // under way, or nil
	pong      chan reply       // its answer
	pingSent  time.Time
}

// What a peer speaks, as far as it has shown. It is never taken for a 1.x node again
// once it has spoken the native protocol.
const (
	dialectUnknown int32 = iota
	dialectJSON
	dialectNative
)

// epoch is what heard counts from: the monotonic clock has no zero of its own.
var epoch = time.Now()

// Name returns the peer's name.
func (p *Peer) Name() string { return p.state.Load().Name }

// String returns the name and the address.
func (p *Peer) String() string { return p.Name() + " at " + p.Addr().String() }

// ID returns what tells the peer from others of its name. It is new with each start.
func (p *Peer) ID() ID { return ID(p.state.Load().ID) }

// Addr returns the address and UDP port in use.
func (p *Peer) Addr() netip.AddrPort { return p.state.Load().Addr }

// TCPPort returns the port the peer announces for streams and files.
func (p *Peer) TCPPort() uint16 { return p.state.Load().TCPPort }

// Version returns what the peer announces as the version of its library; it may be
// empty.
func (p *Peer) Version() string { return p.state.Load().Version }

// Up reports whether the peer is there, as far as is known.
func (p *Peer) Up() bool { return p.state.Load().Up }

// Legacy reports whether the peer is a PyPI peerlink 1.x node, or may be one.
func (p *Peer) Legacy() bool { return p.state.Load().Legacy }

// Static reports whether the peer was given by AddPeer.
func (p *Peer) Static() bool { return p.state.Load().Static }

// RTT returns the round-trip time: smoothed (RFC 9002 §5.3), or of a 1.x node that of
// the last ping. 0 if there is none yet.
func (p *Peer) RTT() time.Duration {
	if s := p.session.Load(); s != nil {
		if rtt := s.stats().RTT; rtt > 0 {
			return rtt
		}
	}
	return time.Duration(p.rtt.Load())
}

// Loss returns which share of the packets to the peer had to be sent again, 0 to 1,
// since the session began; 0 for a 1.x node, where nobody can tell.
func (p *Peer) Loss() float64 {
	s := p.session.Load()
	if s == nil {
		return 0
	}
	st := s.stats()
	return float64(st.Lost) / float64(max(st.Sent, 1))
}

// Encrypted reports whether there is an encrypted session with the peer. It is made
// by one of the two when they find each other, or with the first call; without it
// nothing is said to who is no 1.x node.
func (p *Peer) Encrypted() bool { return p.session.Load() != nil }

// Authenticated reports whether the peer has proved that it has our secret. It is
// false in the open realm, and for 1.x nodes.
func (p *Peer) Authenticated() bool {
	s := p.session.Load()
	return s != nil && !p.node.realm.Open() && s.proved()
}

// Fingerprint returns that of the peer's key; zero while there is no session. A peer
// that was just found may not have proved its key yet: Ping it before you compare.
func (p *Peer) Fingerprint() Fingerprint {
	if s := p.session.Load(); s != nil {
		return s.key
	}
	return Fingerprint{}
}

// Ping calls the peer and waits for its answer.
func (p *Peer) Ping(ctx context.Context) error {
	start := time.Now()
	_, err := p.CallRaw(ctx, pingFunc, Payload{Codec: JSON})
	if err == nil {
		p.rtt.Store(int64(time.Since(start)))
	}
	return err
}

// noteHeard is called for every datagram from the peer.
func (p *Peer) noteHeard(now time.Time, from netip.AddrPort) {
	p.heard.Store(int64(now.Sub(epoch)))
	if !p.state.Load().Up || p.suspect.Load() {
		p.suspect.Store(false)
		p.node.peers.heard(p, from)
	}
}

// sendPing asks all of addrs. The answer is taken by takePong.
func (p *Peer) sendPing(now time.Time, addrs []netip.AddrPort) {
	if s := p.session.Load(); s != nil {
		s.ping(now, addrs)
		return
	}
	if p.speaks() != dialectJSON {
		p.node.shakes.again(p, now)
		return
	}
	if p.node.shakes.knows(p.Name()) {
		return // see downgraded
	}
	p.forgetPing()
	call, pong := new(rpc.Call[reply]), make(chan reply, 1)
	if err := p.node.pending.Add(call, func(r reply) { pong <- r }); err != nil {
		return // too many calls wait: the next ping may find room
	}
	p.ping, p.pong, p.pingSent = call, pong, now
	b, err := legacy.AppendRequest(nil, legacy.Call{
		ID: string(call.ID[:]), Src: p.node.AnnouncedName(), Dst: p.Name(), Func: legacy.PingFunc,
	})
	if err != nil {
		return // names are too short for that
	}
	for _, a := range addrs {
		_ = p.node.send(b, a) // no answer says as much as an error
	}
}

// takePong looks for the answer to the last ping. It counts from wherever it came:
// a peer with several addresses may answer from another than was asked.
func (p *Peer) takePong() {
	if p.ping == nil {
		return
	}
	select {
	case r := <-p.pong:
		if r.code == CodeClosed {
			return
		}
		p.rtt.Store(int64(r.at.Sub(p.pingSent)))
		p.noteHeard(r.at, r.from)
		p.ping = nil
	default:
	}
}

func (p *Peer) forgetPing() {
	if p.ping != nil {
		p.node.pending.Remove(p.ping)
		p.ping = nil
	}
}
