package simnet

import (
	"context"
	"net"
	"net/netip"
	"syscall"
)

// A listener is what ListenTCP returns.
type listener struct {
	host   *Host
	port   uint16
	dialed chan net.Conn
	done   chan struct{} // closed by Close, under host.net.mu
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done: // select might still choose a dialer
		return nil, l.failed("accept")
	default:
	}
	select {
	case c := <-l.dialed:
		return c, nil
	case <-l.done:
		return nil, l.failed("accept")
	}
}

func (l *listener) Addr() net.Addr {
	l.host.net.mu.Lock()
	defer l.host.net.mu.Unlock()
	return l.host.tcpAddr(l.port)
}

func (l *listener) Close() error {
	l.host.net.mu.Lock()
	closed := l.host.tcp[l.port] != l
	if !closed {
		l.shut()
	}
	l.host.net.mu.Unlock()
	if closed {
		return l.failed("close")
	}
	return nil
}

// shut closes l and gives its port back. host.net.mu is held.
func (l *listener) shut() {
	delete(l.host.tcp, l.port)
	close(l.done)
}

func (l *listener) failed(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

// DialTCP connects to a listener. For now a stream is a net.Pipe, which has no
// buffer and suffers no faults; only where one direction is cut, or there is no
// host, DialTCP waits for the end of ctx. It returns once the stream is accepted.
func (h *Host) DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	to = unmap(to)
	l, reachable, from := h.route(to)
	if reachable && l == nil {
		return nil, dialFailed(from, to, syscall.ECONNREFUSED)
	}
	var dialed chan net.Conn
	var refused chan struct{}
	if l != nil {
		dialed, refused = l.dialed, l.done
	}
	ours, theirs := net.Pipe()
	there := net.TCPAddrFromAddrPort(to)
	select {
	case dialed <- &stream{theirs, there, from}:
		return &stream{ours, from, there}, nil
	case <-refused:
		return nil, dialFailed(from, to, syscall.ECONNREFUSED)
	case <-h.net.done:
		return nil, dialFailed(from, to, net.ErrClosed)
	case <-ctx.Done():
		return nil, dialFailed(from, to, ctx.Err())
	}
}

// route returns who listens at an address, if it can be reached, and the address to
// dial from.
func (h *Host) route(to netip.AddrPort) (l *listener, reachable bool, from net.Addr) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	port, err := bind(h, h.tcp, 0, false)
	from = h.tcpAddr(port)
	there := n.hosts[to.Addr()]
	if err != nil || there == nil || n.link(h.addr, there.addr).cut || n.link(there.addr, h.addr).cut {
		return nil, false, from
	}
	return there.tcp[to.Port()], true, from
}

func dialFailed(from net.Addr, to netip.AddrPort, err error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Source: from, Addr: net.TCPAddrFromAddrPort(to), Err: err}
}

// A stream is one end of a net.Pipe that says where it is.
type stream struct {
	net.Conn
	local, remote net.Addr
}

func (s *stream) LocalAddr() net.Addr  { return s.local }
func (s *stream) RemoteAddr() net.Addr { return s.remote }
