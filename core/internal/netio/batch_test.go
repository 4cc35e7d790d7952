package netio_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/peerlink/peerlink/core/internal/netio"
	"github.com/peerlink/peerlink/core/internal/netio/netiotest"
)

// Segments arrive as the datagrams that they are, in order, whatever the kernel makes
// of them on the way.
func TestSegments(t *testing.T) {
	host := netio.Host{}
	from, to := listen(t, host), listen(t, host)
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), netiotest.Port(to))
	for _, tt := range []struct{ size, total int }{{1200, 100}, {1200, 1200}, {1200, 5000}, {548, 548 * netio.MaxSegments}, {1, 3}, {1200, 30_001}} {
		sent := make([]byte, tt.total)
		for i := range sent {
			sent[i] = byte(i * 7)
		}
		if err := netio.WriteSegments(from, sent, tt.size, addr); err != nil {
			t.Fatal(err)
		}
		batch := new(netio.Batch)
		var got []byte
		for len(got) < len(sent) {
			if err := netio.ReadBatch(to, batch); err != nil {
				t.Fatal(err)
			}
			for d, src, ok := batch.Next(); ok; d, src, ok = batch.Next() {
				if want := min(tt.size, len(sent)-len(got)); len(d) != want {
					t.Fatalf("%d of %d bytes: a datagram of %d, want %d", len(got), tt.total, len(d), want)
				}
				if src.Port() != netiotest.Port(from) || !src.Addr().Is4() {
					t.Fatalf("from %v", src)
				}
				got = append(got, d...)
			}
		}
		if !bytes.Equal(got, sent) {
			t.Error("not what was sent")
		}
	}
}

func listen(t *testing.T, host netio.Network) netio.Conn {
	t.Helper()
	c, err := host.ListenUDP(0, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestReadBatchAfterClose(t *testing.T) {
	host := netio.Host{}
	c := listen(t, host)
	ended := make(chan error)
	go func() { ended <- netio.ReadBatch(c, new(netio.Batch)) }()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}
