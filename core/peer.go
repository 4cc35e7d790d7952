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
	asked   limit.Line                 // how often discovery is asked for it

	// These are tend's alone.
	live      link.Liveness
	lastHeard time.Time
	ping      *rpc.Call[reply] // under way, or nil
	pong      chan reply       // its answer
	pingSent  time.Time
}

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

// RTT returns the last measured round-trip time, 0 if there is none yet.
func (p *Peer) RTT() time.Duration { return time.Duration(p.rtt.Load()) }

// Ping calls the peer and waits for its answer.
func (p *Peer) Ping(ctx context.Context) error {
	start := time.Now()
	_, err := p.CallRaw(ctx, legacy.PingFunc, Payload{Codec: JSON})
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
		if r.closed {
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
