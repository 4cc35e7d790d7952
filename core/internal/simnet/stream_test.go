package simnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestDialTCP(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		l, err := n.Host(addrB).ListenTCP(port, true)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if _, err := io.WriteString(c, c.RemoteAddr().String()); err != nil {
				t.Error(err)
			}
		}()
		c, err := n.Host(addrA).DialTCP(t.Context(), at(addrB))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		got, err := io.ReadAll(c)
		if err != nil || string(got) != c.LocalAddr().String() {
			t.Errorf("the other end sees %q, this one is %v: %v", got, c.LocalAddr(), err)
		}
		if local := c.LocalAddr().(*net.TCPAddr).AddrPort(); local.Addr() != addrA || local.Port() < firstEphemeral {
			t.Errorf("dialed from %v", local)
		}
		if got := c.RemoteAddr().(*net.TCPAddr).AddrPort(); got != at(addrB) {
			t.Errorf("the other end is %v", got)
		}
	})
}

func TestDialTCPFails(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(n *Network)
		to      netip.AddrPort
		want    error
	}{
		{"nobody listens", func(*Network) {}, netip.AddrPortFrom(addrB, 1), syscall.ECONNREFUSED},
		{"no host", func(*Network) {}, at(addrC), context.DeadlineExceeded},
		{"nobody accepts", func(*Network) {}, at(addrB), context.DeadlineExceeded},
		{"no way there", func(n *Network) { n.Partition(addrA, addrB, true) }, at(addrB), context.DeadlineExceeded},
		{"no way back", func(n *Network) { n.Partition(addrB, addrA, true) }, at(addrB), context.DeadlineExceeded},
		{"closed", (*Network).Close, at(addrB), net.ErrClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *Network) {
				if _, err := n.Host(addrB).ListenTCP(port, true); err != nil {
					t.Fatal(err)
				}
				a := n.Host(addrA)
				tt.prepare(n)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := a.DialTCP(ctx, tt.to); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestDialTCPEndsWithTheListener(t *testing.T) {
	bubble(t, func(t *testing.T, n *Network) {
		l, err := n.Host(addrB).ListenTCP(port, true)
		if err != nil {
			t.Fatal(err)
		}
		dialed := make(chan error)
		go func() {
			_, err := n.Host(addrA).DialTCP(t.Context(), at(addrB))
			dialed <- err
		}()
		synctest.Wait()
		l.Close()
		if err := <-dialed; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v", err)
		}
	})
}
