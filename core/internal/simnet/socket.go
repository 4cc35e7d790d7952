package simnet

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// maxPayload is the largest datagram that UDP on IPv4 has room for.
const maxPayload = 65507

// A socket is a netio.Conn.
type socket struct {
	host *Host
	port uint16

	// Of the rest, host.net.mu is the lock.
	arrived     sync.Cond
	first, last *packet // that wait for a reader
	held        int     // bytes of the receive buffer in use
	closed      bool
}

func (s *socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for s.first == nil && !s.closed {
		s.arrived.Wait()
	}
	if s.closed {
		return 0, netip.AddrPort{}, s.failed("read", nil, net.ErrClosed)
	}
	p := s.pop()
	defer n.recycle(p)
	return copy(b, p.b), p.from, nil
}

func (s *socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	to = unmap(to)
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := s.refuses(b, to); err != nil {
		return 0, s.failed("write", net.UDPAddrFromAddrPort(to), err)
	}
	from := netip.AddrPortFrom(s.host.addr, s.port)
	if tap := n.tap; tap != nil {
		n.mu.Unlock() // tap may use the network
		tap(from, to, b)
		n.mu.Lock()
	}
	if !n.closed {
		n.send(from, to, b)
	}
	return len(b), nil
}

func (s *socket) refuses(b []byte, to netip.AddrPort) error {
	switch {
	case s.closed:
		return net.ErrClosed
	case !to.Addr().IsValid() || to.Port() == 0:
		return syscall.EINVAL
	case len(b) > maxPayload:
		return syscall.EMSGSIZE
	}
	return nil
}

func (s *socket) LocalAddr() net.Addr {
	s.host.net.mu.Lock()
	defer s.host.net.mu.Unlock()
	return s.host.udpAddr(s.port)
}

func (s *socket) Close() error {
	s.host.net.mu.Lock()
	defer s.host.net.mu.Unlock()
	if s.closed {
		return s.failed("close", nil, net.ErrClosed)
	}
	s.shut()
	return nil
}

// shut closes s and gives its port back. host.net.mu is held, as everywhere below.
func (s *socket) shut() {
	s.closed = true
	delete(s.host.udp, s.port)
	for s.first != nil {
		s.host.net.recycle(s.pop())
	}
	s.arrived.Broadcast()
}

func (s *socket) push(p *packet) {
	if s.first == nil {
		s.first = p
	} else {
		s.last.next = p
	}
	s.last = p
	s.held += p.cost()
	s.arrived.Signal()
}

func (s *socket) pop() *packet {
	p := s.first
	s.first, p.next = p.next, nil
	s.held -= p.cost()
	return p
}

func (s *socket) failed(op string, to net.Addr, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: s.host.udpAddr(s.port), Addr: to, Err: err}
}
