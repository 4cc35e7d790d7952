//go:build linux

package lab

import (
	"encoding/binary"
	"net/netip"
)

// A Datagram is a UDP datagram in a frame.
type Datagram struct {
	From, To netip.AddrPort
	Payload  []byte // part of the frame
}

// UDP returns the datagram that a frame holds, if it holds one in whole.
func UDP(frame []byte) (Datagram, bool) {
	p := parse(frame)
	if p.udp == 0 {
		return Datagram{}, false
	}
	from, to := p.addrs(frame)
	return Datagram{
		From:    netip.AddrPortFrom(from, binary.BigEndian.Uint16(frame[p.udp:])),
		To:      netip.AddrPortFrom(to, binary.BigEndian.Uint16(frame[p.udp+2:])),
		Payload: frame[p.udp+udpHeader : p.end],
	}, true
}

const (
	etherHeader = 14
	v6Header    = 40
	udpHeader   = 8

	protoUDP    = 17
	protoICMPv6 = 58

	udpChecksum = 6 // where it is in the header
)

// packet says what is where in a frame.
type packet struct {
	ip        int // length of the IP packet; 0: it is none, or neighbor discovery
	v6        bool
	multicast bool
	udp, end  int // the UDP header and the end of the payload; 0: no whole datagram
}

func parse(frame []byte) packet {
	if len(frame) < etherHeader {
		return packet{}
	}
	b := frame[etherHeader:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		return parse4(b)
	case 0x86dd:
		return parse6(b)
	}
	return packet{}
}

func parse4(b []byte) packet {
	if len(b) < 20 || int(b[0]&15)*4 < 20 {
		return packet{}
	}
	p := packet{ip: len(b), multicast: b[16]&0xf0 == 0xe0}
	if fragment := binary.BigEndian.Uint16(b[6:]) & 0x3fff; fragment == 0 && b[9] == protoUDP {
		p.locate(b, int(b[0]&15)*4)
	}
	return p
}

// parse6 knows no extension headers.
func parse6(b []byte) packet {
	if len(b) < v6Header {
		return packet{}
	}
	next := b[6]
	if next == protoICMPv6 && len(b) > v6Header && b[v6Header] >= 133 && b[v6Header] <= 137 {
		return packet{}
	}
	p := packet{ip: len(b), v6: true, multicast: b[24] == 0xff}
	if next == protoUDP {
		p.locate(b, v6Header)
	}
	return p
}

// locate finds the payload by the UDP header at an offset in an IP packet.
func (p *packet) locate(b []byte, at int) {
	if len(b) < at+udpHeader {
		return
	}
	n := int(binary.BigEndian.Uint16(b[at+4:]))
	if n < udpHeader || n > len(b)-at {
		return
	}
	p.udp, p.end = etherHeader+at, etherHeader+at+n
}

func (p packet) addrs(frame []byte) (from, to netip.Addr) {
	b := frame[etherHeader:]
	if p.v6 {
		return netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	}
	return netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
}

// flip turns the bit of the UDP payload around, and has the checksum agree. There is
// a payload of more than bit/8 bytes.
func (p packet) flip(frame []byte, bit int) {
	frame[p.udp+udpHeader+bit/8] ^= 1 << (bit % 8)
	sum := frame[p.udp+udpChecksum : p.udp+udpChecksum+2]
	clear(sum)
	if p.v6 { // in IPv4 zero means that there is none
		binary.BigEndian.PutUint16(sum, p.checksum6(frame))
	}
}

// checksum6 is that of RFC 8200 §8.1, with the field itself being zero.
func (p packet) checksum6(frame []byte) uint16 {
	sum := uint32(protoUDP + p.end - p.udp)
	sum = addWords(sum, frame[etherHeader+8:etherHeader+v6Header])
	sum = addWords(sum, frame[p.udp:p.end])
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum == 0xffff {
		return 0xffff
	}
	return ^uint16(sum)
}

func addWords(sum uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}
