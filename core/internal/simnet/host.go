package simnet

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/peerlink/peerlink/core/internal/netio"
)

// firstEphemeral is where the ports begin that a host gives out by itself.
const firstEphemeral = 49152

// A Host is a machine with one address. It implements netio.Network.
type Host struct {
	net *Network

	// Of the rest, net.mu is the lock.
	addr netip.Addr
	next uint16 // ephemeral port, if it is free
	udp  map[uint16]*socket
	tcp  map[uint16]*listener
}

var _ netio.Network = (*Host)(nil)

// Addr returns the present address.
func (h *Host) Addr() netip.Addr {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return h.addr
}

// Move gives h another address, as roaming does: sockets and listeners live on with
// what they have received, others see the new address as the source, and what is on
// the way to the old one is lost. It fails if another host is there.
func (h *Host) Move(addr netip.Addr) error {
	addr = addr.Unmap()
	if !usable(addr) {
		return fmt.Errorf("simnet: move to %v: %w", addr, syscall.EADDRNOTAVAIL)
	}
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if other := n.hosts[addr]; other != nil && other != h {
		return fmt.Errorf("simnet: move to %v: %w", addr, syscall.EADDRINUSE)
	}
	n.deliverDue(n.now()) // what has arrived by now has arrived at the old one
	delete(n.hosts, h.addr)
	h.addr = addr
	n.hosts[addr] = h
	return nil
}

// ListenUDP is that of netio.Network.
func (h *Host) ListenUDP(port uint16, fixed bool) (netio.Conn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	port, err := bind(h, h.udp, port, fixed)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: h.udpAddr(port), Err: err}
	}
	s := &socket{host: h, port: port}
	s.arrived.L = &h.net.mu
	h.udp[port] = s
	return s, nil
}

// ListenTCP is that of netio.Network. The other end is DialTCP.
func (h *Host) ListenTCP(port uint16, fixed bool) (net.Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	port, err := bind(h, h.tcp, port, fixed)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: h.tcpAddr(port), Err: err}
	}
	l := &listener{host: h, port: port, dialed: make(chan net.Conn), done: make(chan struct{})}
	h.tcp[port] = l
	return l, nil
}

// bind chooses a port. h.net.mu is held.
func bind[S any](h *Host, taken map[uint16]S, wish uint16, fixed bool) (uint16, error) {
	if h.net.closed {
		return wish, net.ErrClosed
	}
	if wish != 0 {
		if _, ok := taken[wish]; !ok {
			return wish, nil
		}
		if fixed {
			return wish, syscall.EADDRINUSE
		}
	}
	for range 1<<16 - firstEphemeral {
		port := h.next
		h.next = max(h.next+1, firstEphemeral) // behind the last comes 0
		if _, ok := taken[port]; !ok {
			return port, nil
		}
	}
	return 0, syscall.EADDRINUSE
}

// closeAll closes all sockets and listeners. h.net.mu is held.
func (h *Host) closeAll() {
	for _, s := range h.udp {
		s.shut()
	}
	for _, l := range h.tcp {
		l.shut()
	}
}

func (h *Host) udpAddr(port uint16) net.Addr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.addr, port))
}

func (h *Host) tcpAddr(port uint16) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(h.addr, port))
}
