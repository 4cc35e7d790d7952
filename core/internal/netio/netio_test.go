package netio

import (
	"net"
	"net/netip"
	"testing"

	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func udpPort(t *testing.T, c *net.UDPConn) uint16 {
	t.Helper()
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

func TestListenUDPTakesAnotherPortUnlessFixed(t *testing.T) {
	first, err := ListenUDP(0, false)
	if err != nil {
		t.Fatal(err)
	}
	taken := udpPort(t, first)
	second, err := ListenUDP(taken, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := udpPort(t, second); got == taken || got == 0 {
		t.Errorf("port %d, want another than %d", got, taken)
	}
	if c, err := ListenUDP(taken, true); err == nil {
		c.Close()
		t.Error("a fixed port was bound twice")
	}
}

// A 1.x node binds IPv4 only, with SO_REUSEADDR: the socket for both protocols
// must not slip in beside it and steal its datagrams.
func TestListenUDPSeesAnIPv4Owner(t *testing.T) {
	old, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	taken := udpPort(t, old)
	c, err := ListenUDP(taken, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := udpPort(t, c); got == taken {
		t.Errorf("bound %d beside an IPv4 socket", got)
	}
}

func TestListenTCPTakesAnotherPortUnlessFixed(t *testing.T) {
	first, err := ListenTCP(0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	taken := uint16(first.Addr().(*net.TCPAddr).Port)
	second, err := ListenTCP(taken, false)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if l, err := ListenTCP(taken, true); err == nil {
		l.Close()
		t.Error("a fixed port was bound twice")
	}
}

func TestUsable(t *testing.T) {
	addr := []netip.Prefix{netip.MustParsePrefix("192.168.1.5/24")}
	for _, tt := range []struct {
		name string
		ifi  Interface
		want bool
	}{
		{"ethernet", Interface{Flags: net.FlagUp | net.FlagMulticast, Addrs: addr}, true},
		{"loopback without the multicast flag", Interface{Flags: net.FlagUp | net.FlagLoopback, Addrs: addr}, true},
		{"down", Interface{Flags: net.FlagMulticast, Addrs: addr}, false},
		{"no address yet", Interface{Flags: net.FlagUp | net.FlagMulticast}, false},
		{"tunnel", Interface{Flags: net.FlagUp | net.FlagMulticast | net.FlagPointToPoint, Addrs: addr}, false},
		{"no multicast", Interface{Flags: net.FlagUp, Addrs: addr}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.ifi.Usable(); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestInterfacesHasLoopback(t *testing.T) {
	list, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Flags&net.FlagLoopback != 0 && len(i.Addrs) > 0 {
			return
		}
	}
	t.Errorf("no loopback with an address in %v", list)
}
