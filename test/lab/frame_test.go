//go:build linux

package lab

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

var (
	from4 = netip.MustParseAddrPort("10.91.1.1:1000")
	to4   = netip.MustParseAddrPort("10.91.1.2:2000")
	from6 = netip.MustParseAddrPort("[fe80::1]:1000")
	to6   = netip.MustParseAddrPort("[fe80::2]:2000")
)

// udpFrame is a frame with a datagram, with no checksums.
func udpFrame(from, to netip.AddrPort, payload string) []byte {
	b := make([]byte, etherHeader)
	n := udpHeader + len(payload)
	if from.Addr().Is4() {
		binary.BigEndian.PutUint16(b[12:], 0x0800)
		b = append(b, 0x45, 0, 0, byte(20+n), 0, 0, 0, 0, 64, protoUDP, 0, 0)
	} else {
		binary.BigEndian.PutUint16(b[12:], 0x86dd)
		b = append(b, 0x60, 0, 0, 0, 0, byte(n), protoUDP, 64)
	}
	b = append(b, from.Addr().AsSlice()...)
	b = append(b, to.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	b = append(b, 0, 0)
	return append(b, payload...)
}

// with returns the frame with one byte changed.
func with(frame []byte, at int, to byte) []byte {
	frame = bytes.Clone(frame)
	frame[at] = to
	return frame
}

func TestUDP(t *testing.T) {
	v4, v6 := udpFrame(from4, to4, "hello"), udpFrame(from6, to6, "hello")
	for _, c := range []struct {
		name  string
		frame []byte
		want  string // "" if it is no datagram
	}{
		{"IPv4", v4, "hello"},
		{"IPv6", v6, "hello"},
		{"padding", append(bytes.Clone(v4), 0, 0, 0), "hello"},
		{"no frame", v4[:13], ""},
		{"ARP", with(v4, 13, 6), ""},
		{"TCP", with(v4, etherHeader+9, 6), ""},
		{"short IP header", with(v4, etherHeader, 0x44), ""},
		{"first fragment", with(v4, etherHeader+6, 0x20), ""},
		{"later fragment", with(v4, etherHeader+7, 1), ""},
		{"UDP length too large", with(v4, etherHeader+25, 14), ""},
		{"UDP length too small", with(v4, etherHeader+25, 7), ""},
		{"UDP header cut", v4[:etherHeader+27], ""},
		{"IPv6 header cut", v6[:etherHeader+39], ""},
		{"ICMPv6", with(v6, etherHeader+6, protoICMPv6), ""},
	} {
		d, ok := UDP(c.frame)
		if ok != (c.want != "") || string(d.Payload) != c.want {
			t.Errorf("%s: %v %q", c.name, ok, d.Payload)
		}
	}
	if d, _ := UDP(v4); d.From != from4 || d.To != to4 {
		t.Errorf("IPv4: %v to %v", d.From, d.To)
	}
	if d, _ := UDP(v6); d.From != from6 || d.To != to6 {
		t.Errorf("IPv6: %v to %v", d.From, d.To)
	}
}

func TestParseTellsWhatSuffers(t *testing.T) {
	multicast := udpFrame(from4, netip.MustParseAddrPort("224.0.0.251:5353"), "x")
	multicast6 := udpFrame(from6, netip.MustParseAddrPort("[ff02::fb]:5353"), "x")
	discovery := with(with(multicast6, etherHeader+6, protoICMPv6), etherHeader+v6Header, 135)
	for _, c := range []struct {
		name          string
		frame         []byte
		ip, multicast bool
	}{
		{"unicast", udpFrame(from4, to4, "x"), true, false},
		{"IPv6 unicast", udpFrame(from6, to6, "x"), true, false},
		{"multicast", multicast, true, true},
		{"IPv6 multicast", multicast6, true, true},
		{"neighbor discovery", discovery, false, false},
		{"multicast listener report", with(discovery, etherHeader+v6Header, 143), true, true},
		{"ARP", with(multicast, 13, 6), false, false},
	} {
		if p := parse(c.frame); p.ip > 0 != c.ip || p.multicast != c.multicast {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

// The sums were worked out by hand, RFC 1071 §1.
func TestChecksum6(t *testing.T) {
	for _, c := range []struct {
		payload string
		want    uint16
	}{
		{"\x00", ^uint16(0x08e0)}, // fe80 + 1 + fe80 + 2 + 17 + 9 + 03e8 + 07d0 + 9, carries added
		{"\xf7", ^uint16(0xffe0)}, // odd length: the byte is the high one
		{"\xf7\x1d", 0xffff},      // 08e2 + f71d: zero would mean that there is none
	} {
		frame := udpFrame(from6, to6, c.payload)
		if got := parse(frame).checksum6(frame); got != c.want {
			t.Errorf("%q: %#04x, want %#04x", c.payload, got, c.want)
		}
	}
}

func FuzzUDP(f *testing.F) {
	f.Add(udpFrame(from4, to4, "hello"))
	f.Add(udpFrame(from6, to6, "hello"))
	f.Add(udpFrame(from6, to6, "")[:etherHeader+v6Header])
	f.Fuzz(func(t *testing.T, frame []byte) {
		d, ok := UDP(frame)
		if !ok || len(d.Payload) == 0 {
			return
		}
		before := bytes.Clone(d.Payload)
		parse(frame).flip(frame, 8*len(d.Payload)-1)
		before[len(before)-1] ^= 0x80
		if again, ok := UDP(frame); !ok || !bytes.Equal(again.Payload, before) {
			t.Errorf("%v %x, want %x", ok, again.Payload, before)
		}
	})
}
