//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
)

const timeout = 2 * time.Second

// udp is the floor: one datagram there, one back, nothing else.
type udp struct{}

func (udp) serve(ip netip.Addr) (netip.AddrPort, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
	if err != nil {
		return netip.AddrPort{}, err
	}
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), nil
}

// connect gives every caller a socket of its own.
func (udp) connect(server netip.AddrPort, callers int) (clients []echo, _ error) {
	for range callers {
		conn, err := net.ListenUDP("udp4", nil)
		if err != nil {
			return nil, err
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return nil, err
		}
		out, in := []byte(payload), make([]byte, 2048)
		clients = append(clients, func() error {
			if _, err := conn.WriteToUDPAddrPort(out, server); err != nil {
				return err
			}
			_, _, err := conn.ReadFromUDPAddrPort(in)
			return err
		})
	}
	return clients, nil
}

// node is PeerLink as an application uses it.
type node struct{}

func (node) serve(ip netip.Addr) (netip.AddrPort, error) {
	n, err := start("anchor")
	if err != nil {
		return netip.AddrPort{}, err
	}
	err = n.Handle("echo", func(s string) string { return s })
	return netip.AddrPortFrom(ip, n.UDPPort()), err
}

// connect has all callers share one node.
func (node) connect(server netip.AddrPort, callers int) (clients []echo, _ error) {
	n, err := start("caller")
	if err != nil {
		return nil, err
	}
	p, err := n.AddPeer("anchor", server, 0)
	if err != nil {
		return nil, err
	}
	for range callers {
		clients = append(clients, func() error { return echoOnce(p) })
	}
	return clients, nil
}

func echoOnce(p *peerlink.Peer) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s, err := peerlink.Call[string](ctx, p, "echo", payload)
	if err == nil && s != payload {
		return fmt.Errorf("the echo is %q", s)
	}
	return err
}

// start starts a node that looks for nobody: discovery is another benchmark.
func start(name string) (*peerlink.Node, error) {
	return peerlink.Start(context.Background(), peerlink.Config{Name: name, Discovery: []peerlink.Discovery{}})
}
