package netio_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"

	"github.com/peerlink/peerlink/core/internal/netio"
	"github.com/peerlink/peerlink/core/internal/netio/netiotest"
)

// A leader and the reader share a socket: each datagram reaches one of them.
func TestLeading(t *testing.T) {
	conn, err := netio.Host{}.ListenUDP(0, false)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := conn.(netio.LeadConn)
	if !ok {
		conn.Close()
		t.Skip("not on this system") // the build constraint says where
	}
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), netiotest.Port(c))
	from, err := net.Dial("udp4", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	byReader := make(chan []byte, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			b := make([]byte, 100)
			n, _, err := c.ReadFromUDPAddrPort(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if n > 1 {
				byReader <- b[:n]
			}
		}
	})
	send := func(text string) {
		if _, err := from.Write([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	send("first")
	if got := <-byReader; string(got) != "first" {
		t.Errorf("the reader got %q", got)
	}
	for i := range 50 {
		if !c.Lead() || c.Lead() {
			t.Fatal("not one leader")
		}
		send("led")
		if got := leadUntil(t, c, byReader); string(got) != "led" {
			t.Errorf("the leader got %q", got)
		}
		c.Unlead(i%2 == 0)
	}
	send("last")
	if got := <-byReader; string(got) != "last" {
		t.Errorf("the reader got %q", got)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := c.LeadRead(new(netio.Batch)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

// leadUntil reads as a leader does: what it waits for may have gone to the reader, just
// before that stood aside.
func leadUntil(t *testing.T, c netio.LeadConn, byReader <-chan []byte) []byte {
	t.Helper()
	b := new(netio.Batch)
	for {
		if err := c.LeadRead(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		for d, _, ok := b.Next(); ok; d, _, ok = b.Next() {
			return bytes.Clone(d)
		}
		select {
		case got := <-byReader:
			return got
		default:
		}
	}
}
