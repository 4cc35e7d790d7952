// Package netiotest is what every netio.Network has to pass.
package netiotest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/peerlink/peerlink/core/internal/netio"
)

// Options say what is tested, and how.
type Options struct {
	// New returns a network for one case, and the address at which sockets of
	// it reach each other.
	New func(testing.TB) (netio.Network, netip.Addr)
	// Test runs one case: synctest.Test, say. Nil means as it is.
	Test func(*testing.T, func(*testing.T))
}

// Run runs the suite. It has no timeouts of its own: who loses a datagram of an
// undisturbed loopback interface hangs.
func Run(t *testing.T, o Options) {
	if o.Test == nil {
		o.Test = func(t *testing.T, test func(*testing.T)) { test(t) }
	}
	for _, c := range []struct {
		name string
		test func(*suite, *testing.T)
	}{
		{"UDPPorts", (*suite).udpPorts},
		{"TCPPorts", (*suite).tcpPorts},
		{"BothProtocols", (*suite).bothProtocols},
		{"Exchange", (*suite).exchange},
		{"Buffers", (*suite).buffers},
		{"ShortBuffer", (*suite).shortBuffer},
		{"TooLarge", (*suite).tooLarge},
		{"Nobody", (*suite).nobody},
		{"Concurrent", (*suite).concurrent},
		{"Close", (*suite).close},
		{"CloseListener", (*suite).closeListener},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.Test(t, func(t *testing.T) {
				n, addr := o.New(t)
				c.test(&suite{n, addr}, t)
			})
		})
	}
}

// Port returns the port that c has bound.
func Port(c netio.Conn) uint16 { return c.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

type suite struct {
	netio.Network
	addr netip.Addr
}

func (s *suite) at(port uint16) netip.AddrPort { return netip.AddrPortFrom(s.addr, port) }

func (s *suite) udp(t *testing.T) (netio.Conn, netip.AddrPort) {
	t.Helper()
	c, err := s.ListenUDP(0, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, s.at(Port(c))
}

// bound is a socket or a listener.
type bound struct {
	port  uint16
	close func() error
}

func (s *suite) udpPorts(t *testing.T) {
	s.ports(t, func(port uint16, fixed bool) (bound, error) {
		c, err := s.ListenUDP(port, fixed)
		if err != nil {
			return bound{}, err
		}
		return bound{Port(c), c.Close}, nil
	})
}

func (s *suite) tcpPorts(t *testing.T) {
	s.ports(t, func(port uint16, fixed bool) (bound, error) {
		l, err := s.ListenTCP(port, fixed)
		if err != nil {
			return bound{}, err
		}
		return bound{uint16(l.Addr().(*net.TCPAddr).Port), l.Close}, nil
	})
}

func (s *suite) ports(t *testing.T, listen func(port uint16, fixed bool) (bound, error)) {
	take := func(port uint16, fixed bool) bound {
		t.Helper()
		b, err := listen(port, fixed)
		if err != nil {
			t.Fatalf("port %d, fixed %v: %v", port, fixed, err)
		}
		if b.port == 0 {
			t.Errorf("port %d, fixed %v: bound 0", port, fixed)
		}
		t.Cleanup(func() { b.close() })
		return b
	}
	first := take(0, false)
	if b := take(first.port, false); b.port == first.port {
		t.Error("a port was bound twice, by wish")
	}
	if b, err := listen(first.port, true); err == nil {
		b.close()
		t.Error("a port was bound twice, fixed")
	} else if runtime.GOOS != "windows" && !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a fixed port that is taken: %v", err)
	}
	if b := take(0, true); b.port == first.port {
		t.Error("a port was bound twice, fixed 0")
	}
	if err := first.close(); err != nil {
		t.Error(err)
	}
	if b := take(first.port, true); b.port != first.port {
		t.Errorf("got %d, want %d again", b.port, first.port)
	}
}

func (s *suite) bothProtocols(t *testing.T) {
	for range 20 { // the number may be in use for TCP, by somebody else
		c, addr := s.udp(t)
		l, err := s.ListenTCP(addr.Port(), true)
		if err == nil {
			l.Close()
			return
		}
		c.Close()
	}
	t.Error("no number is free for both UDP and TCP")
}

// receive reads one datagram.
func receive(t *testing.T, c netio.Conn) ([]byte, netip.AddrPort) {
	t.Helper()
	b := make([]byte, 1<<16)
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

func send(t *testing.T, c netio.Conn, to netip.AddrPort, b []byte) {
	t.Helper()
	if n, err := c.WriteToUDPAddrPort(b, to); err != nil || n != len(b) {
		t.Fatalf("sent %d of %d: %v", n, len(b), err)
	}
}

func (s *suite) exchange(t *testing.T) {
	a, addrA := s.udp(t)
	b, addrB := s.udp(t)
	for _, size := range []int{1, 0, 548, 1232, 9000} {
		want := bytes.Repeat([]byte{byte(size)}, size)
		send(t, a, addrB, want)
		got, from := receive(t, b)
		if !bytes.Equal(got, want) || from != addrA {
			t.Errorf("size %d: %d bytes from %v, want %v", size, len(got), from, addrA)
		}
		send(t, b, from, got)
		if got, from := receive(t, a); !bytes.Equal(got, want) || from != addrB {
			t.Errorf("size %d back: %d bytes from %v, want %v", size, len(got), from, addrB)
		}
	}
	send(t, a, addrA, []byte("self"))
	if got, from := receive(t, a); string(got) != "self" || from != addrA {
		t.Errorf("to itself: %q from %v", got, from)
	}
}

func (s *suite) buffers(t *testing.T) {
	a, _ := s.udp(t)
	b, addrB := s.udp(t)
	out := []byte("first")
	send(t, a, addrB, out)
	copy(out, "later")
	in := []byte("..........")
	n, _, err := b.ReadFromUDPAddrPort(in)
	if err != nil || n != 5 || string(in) != "first....." {
		t.Errorf("read %d, %v: %q", n, err, in)
	}
	send(t, a, addrB, out)
	receive(t, b)
	if string(in) != "first....." {
		t.Errorf("written to after the return: %q", in)
	}
}

func (s *suite) shortBuffer(t *testing.T) {
	a, _ := s.udp(t)
	b, addrB := s.udp(t)
	send(t, a, addrB, []byte("abcdef"))
	send(t, a, addrB, []byte("next"))
	short := make([]byte, 3)
	n, _, err := b.ReadFromUDPAddrPort(short)
	if err != nil && runtime.GOOS != "windows" {
		t.Error(err)
	}
	if n > len(short) || string(short) != "abc" {
		t.Errorf("read %d: %q", n, short)
	}
	if got, _ := receive(t, b); string(got) != "next" {
		t.Errorf("then %q", got)
	}
}

func (s *suite) tooLarge(t *testing.T) {
	a, _ := s.udp(t)
	b, addrB := s.udp(t)
	if _, err := a.WriteToUDPAddrPort(make([]byte, 70000), addrB); err == nil {
		t.Error("70000 bytes are no datagram")
	}
	send(t, a, addrB, []byte("still here"))
	if got, _ := receive(t, b); string(got) != "still here" {
		t.Errorf("got %d bytes", len(got))
	}
}

// A datagram to a port where nobody is changes nothing for those behind it.
func (s *suite) nobody(t *testing.T) {
	a, _ := s.udp(t)
	b, addrB := s.udp(t)
	gone, addrGone := s.udp(t)
	gone.Close()
	for range 3 {
		send(t, a, addrGone, []byte("anybody?"))
		send(t, a, addrB, []byte("hello"))
		receive(t, b)
	}
	if _, err := a.WriteToUDPAddrPort([]byte("x"), netip.AddrPort{}); err == nil {
		t.Error("sent to no address")
	}
}

func (s *suite) concurrent(t *testing.T) {
	const writers, each = 4, 50
	to, addr := s.udp(t)
	from, _ := s.udp(t)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := from.WriteToUDPAddrPort(fmt.Appendf(nil, "%d.%d", w, i), addr); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	got := map[string]int{}
	for range 2 {
		wg.Go(func() {
			b := make([]byte, 16)
			for range writers * each / 2 {
				n, _, err := to.ReadFromUDPAddrPort(b)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				got[string(b[:n])]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(got) != writers*each {
		t.Errorf("%d different datagrams arrived, want %d", len(got), writers*each)
	}
}

func (s *suite) close(t *testing.T) {
	c, addr := s.udp(t)
	errs := make(chan error)
	for range 3 {
		go func() {
			_, _, err := c.ReadFromUDPAddrPort(make([]byte, 1))
			errs <- err
		}()
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for range 3 {
		wantClosed(t, "a read that waits", <-errs)
	}
	_, _, err := c.ReadFromUDPAddrPort(make([]byte, 1))
	wantClosed(t, "Read", err)
	_, err = c.WriteToUDPAddrPort([]byte("x"), addr)
	wantClosed(t, "Write", err)
	wantClosed(t, "Close", c.Close())
	if got := c.LocalAddr().(*net.UDPAddr).AddrPort().Port(); got != addr.Port() {
		t.Errorf("port %d after Close, was %d", got, addr.Port())
	}
}

func (s *suite) closeListener(t *testing.T) {
	l, err := s.ListenTCP(0, false)
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	go func() {
		_, err := l.Accept()
		errs <- err
	}()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	wantClosed(t, "an Accept that waits", <-errs)
	_, err = l.Accept()
	wantClosed(t, "Accept", err)
	wantClosed(t, "Close", l.Close())
}

func wantClosed(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("%s: %v, want net.ErrClosed", what, err)
	}
}
