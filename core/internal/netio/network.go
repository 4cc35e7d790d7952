package netio

import (
	"errors"
	"net"
	"net/netip"
)

// A Network is what a node stands on. Its methods may be called from several
// goroutines at once. netiotest holds implementations to what is said here.
type Network interface {
	// ListenUDP binds a UDP socket on all addresses of the host. With fixed it
	// takes port or fails, with syscall.EADDRINUSE (Windows has an error of its own)
	// if somebody has it; otherwise port is a wish, and any free one will do. Port 0
	// is any free one.
	ListenUDP(port uint16, fixed bool) (Conn, error)

	// ListenTCP is ListenUDP for a TCP listener. Closing that makes a blocked
	// Accept return net.ErrClosed; its Addr is a *net.TCPAddr. The port numbers
	// of UDP and TCP have nothing to do with each other.
	ListenTCP(port uint16, fixed bool) (net.Listener, error)
}

// A Conn is a UDP socket that is not connected. *net.UDPConn is one. Its methods
// may be called from several goroutines at once; a datagram goes to one reader.
// Errors wrap their cause, net.ErrClosed among others.
type Conn interface {
	// ReadFromUDPAddrPort waits for a datagram and copies it to b, which stays
	// the caller's and is written to no more after the return. What does not
	// fit is lost; some systems return an error with what does. A datagram may be
	// empty. A source that is IPv4 may come mapped to IPv6: Unmap it.
	ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error)

	// WriteToUDPAddrPort sends b as one datagram. It does not keep b. That there
	// is no error does not mean that anybody is there.
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)

	// LocalAddr returns a *net.UDPAddr. Its port is never 0, its address may be
	// unspecified.
	LocalAddr() net.Addr

	// Close gives the port back. Reads that wait return net.ErrClosed, and so
	// does whatever is called later, even Close.
	Close() error
}

// Host is the Network of this machine: the sockets of its operating system.
type Host struct{}

var _ Network = Host{}

// ListenUDP is the function ListenUDP, with a LeadConn where the system has it.
func (Host) ListenUDP(port uint16, fixed bool) (Conn, error) {
	conn, err := ListenUDP(port, fixed)
	if err != nil {
		return nil, err
	}
	c, err := leadable(conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// ListenTCP is the function ListenTCP.
func (Host) ListenTCP(port uint16, fixed bool) (net.Listener, error) {
	return ListenTCP(port, fixed)
}
