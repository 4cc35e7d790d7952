package simnet

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerlink/peerlink/core/internal/netio"
	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var (
	addrA = netip.MustParseAddr("10.0.0.1")
	addrB = netip.MustParseAddr("10.0.0.2")
	addrC = netip.MustParseAddr("10.0.0.3")
)

const port = 5000

func at(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, port) }

// bubble runs test in virtual time, on a network of seed 1.
func bubble(t *testing.T, test func(t *testing.T, n *Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		defer n.Close()
		test(t, n)
	})
}

func listen(t testing.TB, h *Host) netio.Conn {
	t.Helper()
	c, err := h.ListenUDP(port, true)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t testing.TB, c netio.Conn, to netip.Addr, b ...byte) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort(b, at(to)); err != nil {
		t.Fatal(err)
	}
}

// pair returns sockets on two hosts, and what reads from the second one.
func pair(t testing.TB, n *Network) (a netio.Conn, b *collector) {
	t.Helper()
	return listen(t, n.Host(addrA)), collect(t, listen(t, n.Host(addrB)))
}

type arrival struct {
	after time.Duration // since collect
	from  netip.AddrPort
	b     string
}

// A collector reads a socket until it is closed.
type collector struct {
	netio.Conn
	got  []arrival
	done chan struct{}
}

func collect(t testing.TB, c netio.Conn) *collector {
	r := &collector{Conn: c, done: make(chan struct{})}
	start := time.Now()
	go func() {
		defer close(r.done)
		b := make([]byte, 1<<16)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			r.got = append(r.got, arrival{time.Since(start), from, string(b[:n])})
		}
	}()
	return r
}

// all waits for what is on the way, ends the reading, and returns what came.
func (r *collector) all() []arrival {
	time.Sleep(time.Hour)
	synctest.Wait()
	r.Close()
	<-r.done
	return r.got
}

// balance checks that each datagram is accounted for exactly once.
func balance(t testing.TB, s Stats) {
	t.Helper()
	in := s.Sent + s.Duplicated
	out := s.Delivered + s.Lost + s.Partitioned + s.TooLarge + s.QueueFull + s.Overflowed + s.Unreachable + s.OnTheWay
	if in != out {
		t.Errorf("%d datagrams sent, %d accounted for: %+v", in, out, s)
	}
}
