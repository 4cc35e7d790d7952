package mdns

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/peerlink/peerlink/core/internal/netio"
)

const (
	port        = 5353
	maxDatagram = 9000 // RFC 6762 §17
	maxErrors   = 50   // read errors in a row before a socket counts as dead
	errorPause  = 50 * time.Millisecond
)

type family uint8

const (
	v4 family = iota
	v6
)

var families = [...]family{v4, v6}

func (f family) String() string { return [...]string{"IPv4", "IPv6"}[f] }

func familyOf(a netip.Addr) family {
	if a.Unmap().Is4() {
		return v4
	}
	return v6
}

// target is where a unicast answer goes.
type target netip.AddrPort

func (t target) family() family { return familyOf(netip.AddrPort(t).Addr()) }

var groups = [...]*net.UDPAddr{
	v4: {IP: net.IPv4(224, 0, 0, 251), Port: port},
	v6: {IP: net.ParseIP("ff02::fb"), Port: port},
}

var errNoSocket = errors.New("mdns: no socket of this family")

// conn is the socket of one family.
type conn struct {
	fam family
	udp *net.UDPConn
	p4  *ipv4.PacketConn // one of the two
	p6  *ipv6.PacketConn
	// tags is false where the system does not say by which interface a datagram
	// came (Windows): the engine then guesses from its source.
	tags bool
}

func listen(f family) (*conn, error) {
	udp, err := net.ListenUDP([...]string{"udp4", "udp6"}[f], groups[f])
	if err != nil {
		return nil, err
	}
	c := &conn{fam: f, udp: udp}
	// Options that fail are no reason to give up: the defaults work on one link.
	if f == v4 {
		c.p4 = ipv4.NewPacketConn(udp)
		c.tags = c.p4.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true) == nil
		_ = c.p4.SetMulticastTTL(255)
		_ = c.p4.SetMulticastLoopback(true)
		return c, nil
	}
	c.p6 = ipv6.NewPacketConn(udp)
	c.tags = c.p6.SetControlMessage(ipv6.FlagInterface|ipv6.FlagDst, true) == nil
	_ = c.p6.SetMulticastHopLimit(255)
	_ = c.p6.SetMulticastLoopback(true)
	return c, nil
}

func (c *conn) close() { _ = c.udp.Close() }

// serve hands what arrives to in, until the socket or quit is closed. It reports
// itself on dead when reading fails for good.
func (c *conn) serve(in chan<- packet, dead chan<- *conn, quit <-chan struct{}) {
	b := make([]byte, maxDatagram+1)
	for failures := 0; failures < maxErrors; {
		p, n, err := c.read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			failures++
			if !pause(errorPause, quit) {
				return
			}
			continue
		}
		failures = 0
		if p.msg = decode(b[:n]); p.msg == nil {
			continue
		}
		select {
		case in <- p:
		case <-quit:
			return
		}
	}
	select {
	case dead <- c:
	case <-quit:
	}
}

func pause(d time.Duration, quit <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-quit:
		return false
	}
}

func (c *conn) read(b []byte) (p packet, n int, err error) {
	var src net.Addr
	if c.fam == v4 {
		var cm *ipv4.ControlMessage
		if n, cm, src, err = c.p4.ReadFrom(b); cm != nil {
			p.ifx, p.group = cm.IfIndex, cm.Dst.IsMulticast()
		}
	} else {
		var cm *ipv6.ControlMessage
		if n, cm, src, err = c.p6.ReadFrom(b); cm != nil {
			p.ifx, p.group = cm.IfIndex, cm.Dst.IsMulticast()
		}
	}
	if err != nil {
		return packet{}, 0, err
	}
	if u, ok := src.(*net.UDPAddr); ok {
		a := u.AddrPort()
		p.src = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return p, n, nil
}

// netInterface is the little that x/net needs to know of an interface.
func netInterface(i netio.Interface) *net.Interface {
	return &net.Interface{Index: i.Index, Name: i.Name, Flags: i.Flags}
}

func (c *conn) join(i netio.Interface) error {
	if c.fam == v4 {
		return c.p4.JoinGroup(netInterface(i), groups[v4])
	}
	return c.p6.JoinGroup(netInterface(i), groups[v6])
}

// leave fails where the interface is gone already; nothing is lost then.
func (c *conn) leave(i netio.Interface) {
	if c.fam == v4 {
		_ = c.p4.LeaveGroup(netInterface(i), groups[v4])
		return
	}
	_ = c.p6.LeaveGroup(netInterface(i), groups[v6])
}

// multicast drops what cannot be sent: mDNS repeats itself, and an interface
// that goes down is noticed elsewhere.
func (c *conn) multicast(i netio.Interface, b []byte) {
	if !c.tags { // the loop is the only sender, so the option holds for this write
		c.aim(i)
	}
	c.write(i, b, groups[c.fam])
}

func (c *conn) aim(i netio.Interface) {
	if c.fam == v4 {
		_ = c.p4.SetMulticastInterface(netInterface(i))
		return
	}
	_ = c.p6.SetMulticastInterface(netInterface(i))
}

func (c *conn) unicast(i netio.Interface, to target, b []byte) {
	c.write(i, b, net.UDPAddrFromAddrPort(netip.AddrPort(to)))
}

func (c *conn) write(i netio.Interface, b []byte, to *net.UDPAddr) {
	if c.fam == v4 {
		_, _ = c.p4.WriteTo(b, &ipv4.ControlMessage{IfIndex: i.Index}, to)
		return
	}
	_, _ = c.p6.WriteTo(b, &ipv6.ControlMessage{IfIndex: i.Index}, to)
}
