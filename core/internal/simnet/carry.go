package simnet

import (
	"net/netip"
	"time"
)

// A packet is a datagram on its way or in the queue of a socket.
type packet struct {
	from, to netip.AddrPort
	b        []byte
	at       time.Duration // when it arrives, since the network's start
	seq      uint64        // decides among those that arrive at once
	next     *packet       // in the queue of a socket or the free list
}

// cost is what p takes of a receive buffer. Empty ones are not free, so that no
// queue grows without end.
func (p *packet) cost() int { return max(len(p.b), 1) }

// packet returns one that holds a copy of b. n.mu is held, as everywhere here.
func (n *Network) packet(from, to netip.AddrPort, b []byte) *packet {
	p := n.free
	if p == nil {
		p = new(packet)
	} else {
		n.free, p.next = p.next, nil
	}
	p.from, p.to = from, to
	p.b = append(p.b[:0], b...)
	return p
}

func (n *Network) recycle(p *packet) {
	p.next, n.free = n.free, p
}

// now is the time since New.
func (n *Network) now() time.Duration { return time.Since(n.start) }

// send puts a datagram on its link, or decides that it is lost.
func (n *Network) send(from, to netip.AddrPort, b []byte) {
	now := n.now()
	n.deliverDue(now) // else this one might overtake
	l := n.link(from.Addr(), to.Addr())
	f := &n.faults
	if l.own {
		f = &l.faults
	}
	x := l.draw(f)
	n.stats.Sent++
	n.stats.SentBytes += uint64(len(b))
	switch {
	case l.cut:
		n.stats.Partitioned++
	case f.MTU > 0 && len(b) > f.MTU:
		n.stats.TooLarge++
	case !l.enqueue(f, now, len(b)):
		n.stats.QueueFull++
	case x.lost:
		n.stats.Lost++
	default:
		at := l.arrival(f, x, now)
		p := n.packet(from, to, b)
		if x.corrupted && flip(p.b, x.bits) {
			n.stats.Corrupted++
		}
		if x.reordered {
			n.stats.Reordered++
		}
		n.deliverAt(at, now, p)
		if x.duplicated {
			n.stats.Duplicated++
			n.deliverAt(at, now, n.packet(from, to, b))
		}
	}
}

// deliver puts p into the queue of its socket, if there is one.
func (n *Network) deliver(p *packet) {
	s := n.socketAt(p.to)
	switch {
	case s == nil:
		n.stats.Unreachable++
	case s.held+p.cost() > n.buffer:
		n.stats.Overflowed++
	default:
		s.push(p)
		n.stats.Delivered++
		n.stats.DeliveredBytes += uint64(len(p.b))
		return
	}
	n.recycle(p)
}

func (n *Network) socketAt(a netip.AddrPort) *socket {
	h := n.hosts[a.Addr()]
	if h == nil {
		return nil
	}
	return h.udp[a.Port()]
}
