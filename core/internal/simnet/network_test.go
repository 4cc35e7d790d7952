package simnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerlink/peerlink/core/internal/netio"
	"github.com/peerlink/peerlink/core/internal/netio/netiotest"
)

func newNetwork(t testing.TB) (netio.Network, netip.Addr) {
	n := New(1)
	t.Cleanup(n.Close)
	return n.Host(addrA), addrA
}

func TestConformance(t *testing.T) {
	netiotest.Run(t, netiotest.Options{New: newNetwork})
}

func TestConformanceInVirtualTime(t *testing.T) {
	netiotest.Run(t, netiotest.Options{New: newNetwork, Test: synctest.Test})
}

func TestHost(t *testing.T) {
	n := New(1)
	defer n.Close()
	h := n.Host(addrA)
	if n.Host(netip.MustParseAddr("::ffff:10.0.0.1")) != h {
		t.Error("a mapped address is another host")
	}
	c := listen(t, h)
	if got := c.LocalAddr().String(); got != "10.0.0.1:5000" {
		t.Errorf("local address %s", got)
	}
	send(t, c, netip.MustParseAddr("::ffff:10.0.0.1"), 'x')
	if _, from, err := c.ReadFromUDPAddrPort(make([]byte, 9)); err != nil || from != at(addrA) {
		t.Errorf("from %v: %v", from, err)
	}
	for _, bad := range []netip.Addr{{}, netip.IPv4Unspecified(), netip.IPv6LinkLocalAllNodes()} {
		if err := h.Move(bad); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("move to %v: %v", bad, err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a host at %v", bad)
				}
			}()
			n.Host(bad)
		}()
	}
}

func TestPortsRunOut(t *testing.T) {
	n := New(1)
	defer n.Close()
	h := n.Host(addrA)
	for i := range 1<<16 - firstEphemeral {
		c, err := h.ListenUDP(0, false)
		if err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		if got := netiotest.Port(c); int(got) != firstEphemeral+i {
			t.Fatalf("port %d, number %d", got, i)
		}
	}
	if _, err := h.ListenUDP(0, false); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}

// Without a delay a datagram is there when the write returns, and no time passes.
func TestDirect(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		a, b := listen(t, n.Host(addrA)), listen(t, n.Host(addrB))
		start := time.Now()
		for i := range byte(100) {
			send(t, a, addrB, i)
		}
		if s := n.Stats(); s.Delivered != 100 || s.SentBytes != 100 || s.DeliveredBytes != 100 {
			t.Errorf("%+v", s)
		}
		buf := make([]byte, 1)
		for i := range byte(100) {
			if _, from, err := b.ReadFromUDPAddrPort(buf); err != nil || buf[0] != i || from != at(addrA) {
				t.Fatalf("number %d: %d from %v, %v", i, buf[0], from, err)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
	})
}

func TestPartitionIsOneWay(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		a, b := collect(t, listen(t, n.Host(addrA))), collect(t, listen(t, n.Host(addrB)))
		n.Partition(addrA, addrB, true)
		send(t, a, addrB, 'x')
		send(t, b, addrA, 'y')
		n.Partition(addrA, addrB, false)
		n.Partition(addrB, addrA, true)
		send(t, a, addrB, 'z')
		send(t, b, addrA, 'w')
		if got := a.all(); len(got) != 1 || got[0].b != "y" {
			t.Errorf("a got %v", got)
		}
		if got := b.all(); len(got) != 1 || got[0].b != "z" {
			t.Errorf("b got %v", got)
		}
		if s := n.Stats(); s.Partitioned != 2 {
			t.Errorf("%+v", s)
		}
		balance(t, n.Stats())
	})
}

func TestSetLinkOverrides(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		a, b := collect(t, listen(t, n.Host(addrA))), collect(t, listen(t, n.Host(addrB)))
		n.SetLink(addrA, addrB, Faults{Delay: time.Second})
		n.SetFaults(Faults{Delay: time.Minute})
		send(t, a, addrB, 'x')
		send(t, b, addrA, 'y')
		if got := b.all()[0].after; got != time.Second {
			t.Errorf("the link took %v", got)
		}
		if got := a.all()[0].after; got != time.Minute {
			t.Errorf("the other link took %v", got)
		}
	})
}

func TestMove(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		ha := n.Host(addrA)
		a, b := collect(t, listen(t, ha)), collect(t, listen(t, n.Host(addrB)))
		send(t, b, addrA, '1')
		n.SetFaults(Faults{Delay: time.Second})
		send(t, b, addrA, '2') // lost: not there yet when a moves
		send(t, a, addrB, '3') // sent under the old address
		if err := ha.Move(addrB); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("moved to where b is: %v", err)
		}
		if err := ha.Move(addrC); err != nil {
			t.Fatal(err)
		}
		if got := a.LocalAddr().String(); got != "10.0.0.3:5000" || ha.Addr() != addrC {
			t.Errorf("now at %s, %v", got, ha.Addr())
		}
		send(t, a, addrB, '4')
		send(t, b, addrC, '5')
		checkArrivals(t, "a", a.all(), "10.0.0.2:5000 1", "10.0.0.2:5000 5")
		checkArrivals(t, "b", b.all(), "10.0.0.1:5000 3", "10.0.0.3:5000 4")
		if s := n.Stats(); s.Unreachable != 1 {
			t.Errorf("%+v", s)
		}
		if n.Host(addrA) == ha {
			t.Error("still at the old address")
		}
		if err := ha.Move(addrC); err != nil {
			t.Errorf("move to where it is: %v", err)
		}
	})
}

func checkArrivals(t *testing.T, who string, got []arrival, want ...string) {
	t.Helper()
	var list []string
	for _, g := range got {
		list = append(list, fmt.Sprint(g.from, " ", g.b))
	}
	if !slices.Equal(list, want) {
		t.Errorf("%s got %q, want %q", who, list, want)
	}
}

// What has reached the old address in the moment of the move has arrived.
func TestMoveAtTheMomentOfArrival(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		ha := n.Host(addrA)
		a, b := collect(t, listen(t, ha)), listen(t, n.Host(addrB))
		n.SetFaults(Faults{Delay: time.Second})
		send(t, b, addrA, 'x')
		n.mu.Lock()
		n.way.timer.Stop() // whether it fires first is up to the scheduler
		n.mu.Unlock()
		time.Sleep(time.Second)
		if err := ha.Move(addrC); err != nil {
			t.Fatal(err)
		}
		checkArrivals(t, "a", a.all(), "10.0.0.2:5000 x")
	})
}

func TestTapAndInject(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		a, b := pair(t, n)
		n.SetFaults(Faults{Loss: 1})
		var seen []string
		n.Tap(func(from, to netip.AddrPort, p []byte) {
			seen = append(seen, fmt.Sprint(from, " ", to, " ", string(p)))
			n.SetFaults(Faults{}) // the tap may use the network
			n.Inject(at(addrC), to, append(p, '!'))
			n.SetFaults(Faults{Loss: 1})
		})
		send(t, a, addrB, 'x')
		n.Tap(nil)
		send(t, a, addrB, 'y')
		checkArrivals(t, "b", b.all(), "10.0.0.3:5000 x!")
		if want := []string{"10.0.0.1:5000 10.0.0.2:5000 x"}; !slices.Equal(seen, want) {
			t.Errorf("the tap saw %q, want %q", seen, want)
		}
		if s := n.Stats(); s.Sent != 3 || s.Lost != 2 || s.Delivered != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestInjectSuffersTheFaultsOfItsLink(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		_, b := pair(t, n)
		n.SetLink(addrA, addrB, Faults{Delay: time.Second})
		n.Partition(addrC, addrB, true)
		forged := []byte("x")
		n.Inject(at(addrA), at(addrB), forged)
		n.Inject(at(addrC), at(addrB), forged)
		forged[0] = 'y'
		n.Inject(at(addrA), netip.AddrPort{}, forged)
		got := b.all()
		checkArrivals(t, "b", got, "10.0.0.1:5000 x")
		if got[0].after != time.Second {
			t.Errorf("after %v", got[0].after)
		}
	})
}

func TestReceiveBuffer(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		a, b := listen(t, n.Host(addrA)), listen(t, n.Host(addrB))
		n.SetReceiveBuffer(3)
		send(t, a, addrB, 1, 1)
		send(t, a, addrB, 2, 2) // too much
		send(t, a, addrB)       // empty ones are not free
		send(t, a, addrB)
		if s := n.Stats(); s.Delivered != 2 || s.Overflowed != 2 {
			t.Errorf("%+v", s)
		}
		buf := make([]byte, 2)
		for range 2 {
			if _, _, err := b.ReadFromUDPAddrPort(buf); err != nil {
				t.Fatal(err)
			}
		}
		send(t, a, addrB, 3, 3, 3)
		if s := n.Stats(); s.Delivered != 3 {
			t.Errorf("after reading: %+v", s)
		}
		balance(t, n.Stats())
	})
}

func TestDefaultReceiveBuffer(t *testing.T) {
	n := New(1)
	defer n.Close()
	a := listen(t, n.Host(addrA))
	listen(t, n.Host(addrB))
	for range 4097 {
		send(t, a, addrB, make([]byte, 1024)...)
	}
	if s := n.Stats(); s.Delivered != 4096 || s.Overflowed != 1 {
		t.Errorf("%+v", s)
	}
}

func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		a, b := collect(t, listen(t, n.Host(addrA))), collect(t, listen(t, n.Host(addrB)))
		l, err := n.Host(addrA).ListenTCP(0, false)
		if err != nil {
			t.Fatal(err)
		}
		accept := make(chan error)
		go func() {
			_, err := l.Accept()
			accept <- err
		}()
		n.SetFaults(Faults{Delay: time.Hour})
		send(t, a, addrB, 'x')
		synctest.Wait() // all readers block
		n.Close()
		n.Close()
		<-a.done
		<-b.done
		if err := <-accept; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if _, err := a.WriteToUDPAddrPort([]byte("x"), at(addrB)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write: %v", err)
		}
		if _, err := n.Host(addrC).ListenUDP(0, false); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ListenUDP: %v", err)
		}
		if _, err := n.Host(addrC).ListenTCP(0, false); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ListenTCP: %v", err)
		}
		n.Inject(at(addrA), at(addrB), []byte("x"))
		if s := n.Stats(); s.Sent != 1 || s.Unreachable != 1 || s.OnTheWay != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Hour) // past the timer
		balance(t, n.Stats())
	})
}

// A socket that is closed in the tap of its own write, as a node might be.
func TestCloseInTap(t *testing.T) {
	n := New(1)
	a := listen(t, n.Host(addrA))
	n.Tap(func(netip.AddrPort, netip.AddrPort, []byte) { n.Close() })
	send(t, a, addrB, 'x')
	if s := n.Stats(); s.Sent != 0 {
		t.Errorf("%+v", s)
	}
}
