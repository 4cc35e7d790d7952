//go:build linux

package main

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
)

const (
	pool    = 2048 // packets made beforehand, sent over and over
	batch   = 32   // packets of one system call
	sources = 8    // sockets, each with its port
)

// arrears is how much is made up for at once by who was kept from the CPU.
const arrears = 10 * time.Millisecond

// sent is what the sender achieved.
type sent struct {
	Packets int     `json:"packets"`
	Seconds float64 `json:"seconds"`
}

// send sends packets at a rate, or as fast as the machine lets it.
func send(server netip.AddrPort, packet func() ([]byte, error)) error {
	messages := make([]ipv4.Message, pool)
	for i := range messages {
		b, err := packet()
		if err != nil {
			return err
		}
		messages[i].Buffers = [][]byte{b}
	}
	var conns []*ipv4.PacketConn
	for range sources {
		c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server))
		if err != nil {
			return err
		}
		defer c.Close()
		conns = append(conns, ipv4.NewPacketConn(c))
	}
	if err := ready(); err != nil {
		return err
	}
	return say(flood(conns, messages))
}

func flood(conns []*ipv4.PacketConn, messages []ipv4.Message) (s sent) {
	begin := time.Now()
	interval := time.Second * batch / time.Duration(*rate)
	next := begin
	for turn := 0; ; turn++ {
		now := time.Now()
		if now.Sub(begin) >= duration() {
			s.Seconds = now.Sub(begin).Seconds()
			return s
		}
		if wait := next.Sub(now); wait > 0 {
			time.Sleep(wait)
		} else if -wait > arrears {
			next = now.Add(-arrears)
		}
		next = next.Add(interval)
		at := turn * batch % len(messages)
		n, _ := conns[turn%len(conns)].WriteBatch(messages[at:at+batch], 0) // a full queue, or an ICMP error of an earlier packet
		s.Packets += n
	}
}
