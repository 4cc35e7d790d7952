// Package simnet is a netio.Network in memory, with seeded faults. It is made for
// testing/synctest: all that waits, waits in a way that lets virtual time go on,
// so that a test of an hour on a bad link takes a moment.
//
//	synctest.Test(t, func(t *testing.T) {
//		n := simnet.New(1)
//		defer n.Close()
//		n.SetFaults(simnet.Faults{Loss: 0.3, Delay: 10 * time.Millisecond})
//		a := n.Host(netip.MustParseAddr("10.0.0.1"))
//		b := n.Host(netip.MustParseAddr("10.0.0.2"))
//		…
//	})
//
// What happens to the n-th datagram from one address to another depends on the
// seed, the two addresses, n, and the faults, and on nothing else but time where a
// rate, a partition or a spike is set: a test whose writes come in the same order
// runs the same way again.
//
// A datagram that nothing delays is in its receiver's queue when the write
// returns. Nothing here starts a goroutine that stays; delayed datagrams share one
// timer.
package simnet

import (
	"net/netip"
	"sync"
	"time"
)

// receiveBuffer is how many bytes of payload wait in a socket, unless
// SetReceiveBuffer says otherwise. It is what netio asks of a real one.
const receiveBuffer = 4 << 20

// A Network joins hosts. Its methods, and those of what it makes, may be called
// from several goroutines at once. Make and use it in one synctest bubble, or in
// none.
type Network struct {
	seed  uint64
	start time.Time
	done  chan struct{} // closed by Close

	mu     sync.Mutex // of everything that follows, and of hosts and sockets; nobody blocks with it
	closed bool
	hosts  map[netip.Addr]*Host
	links  map[direction]*link
	faults Faults // of links without their own
	buffer int    // bytes of payload that a socket holds
	tap    func(from, to netip.AddrPort, b []byte)
	way    schedule
	free   *packet
	stats  Stats
}

// New returns a network without hosts and without faults.
func New(seed uint64) *Network {
	return &Network{
		seed:   seed,
		start:  time.Now(),
		done:   make(chan struct{}),
		hosts:  map[netip.Addr]*Host{},
		links:  map[direction]*link{},
		buffer: receiveBuffer,
	}
}

// Close closes all sockets and listeners and loses what is on the way. Closing
// again does nothing.
func (n *Network) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.closed = true
	close(n.done)
	for _, h := range n.hosts {
		h.closeAll()
	}
	n.dropWay()
	n.free = nil
}

// Host returns the host at addr, a new one if there is none yet. It panics if addr
// is no address that a host can have.
func (n *Network) Host(addr netip.Addr) *Host {
	addr = addr.Unmap()
	if !usable(addr) {
		panic("simnet: no host can be at " + addr.String())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[addr]
	if h == nil {
		h = &Host{
			net: n, addr: addr, next: firstEphemeral,
			udp: map[uint16]*socket{}, tcp: map[uint16]*listener{},
		}
		n.hosts[addr] = h
	}
	return h
}

func usable(a netip.Addr) bool { return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() }

// SetFaults sets the faults of all links but those that SetLink has set. What is
// on the way already arrives as planned.
func (n *Network) SetFaults(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = f
}

// SetLink sets the faults of one direction, for good. Links are between addresses,
// not hosts: a host that moves takes no faults along.
func (n *Network) SetLink(from, to netip.Addr, f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.link(from.Unmap(), to.Unmap())
	l.own, l.faults = true, f
}

// Partition cuts one direction, or heals it. What is on the way still arrives.
func (n *Network) Partition(from, to netip.Addr, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link(from.Unmap(), to.Unmap()).cut = on
}

// SetReceiveBuffer sets how many bytes of payload each socket holds for its reader,
// 4 MiB at first. What comes on top is lost.
func (n *Network) SetReceiveBuffer(bytes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.buffer = bytes
}

// Tap makes f see each datagram that a socket sends, before any fault. f is called
// by the goroutine that writes, thus from several at once, and may use the
// network; b is only valid during the call. Nil ends it.
func (n *Network) Tap(f func(from, to netip.AddrPort, b []byte)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tap = f
}

// Inject sends a forged datagram: it suffers what one that from sent would, and
// counts as one, but the tap does not see it. from need not exist. b is copied.
func (n *Network) Inject(from, to netip.AddrPort, b []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.send(unmap(from), unmap(to), b)
	}
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
