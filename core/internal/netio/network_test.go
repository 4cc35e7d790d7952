package netio_test

import (
	"net/netip"
	"testing"

	"github.com/peerlink/peerlink/core/internal/netio"
	"github.com/peerlink/peerlink/core/internal/netio/netiotest"
)

func TestHost(t *testing.T) {
	netiotest.Run(t, netiotest.Options{
		New: func(testing.TB) (netio.Network, netip.Addr) {
			return netio.Host{}, netip.MustParseAddr("127.0.0.1")
		},
	})
}

func TestHostReturnsNoConnWithAnError(t *testing.T) {
	first, err := netio.Host{}.ListenUDP(0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if c, err := (netio.Host{}).ListenUDP(netiotest.Port(first), true); err == nil || c != nil {
		t.Errorf("got %v, %v", c, err)
	}
}
