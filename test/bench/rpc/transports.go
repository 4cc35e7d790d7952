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

var transports = map[string]transport{"udp": udp{}, "node": node{echoOnce}, "raw": node{echoRaw}}

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
func (udp) connect(server netip.AddrPort, callers int) (clients []client, _ error) {
	for range callers {
		conn, err := net.ListenUDP("udp4", nil)
		if err != nil {
			return nil, err
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return nil, err
		}
		out, in := []byte(payload), make([]byte, 2048)
		clients = append(clients, client{echo: func() error {
			if _, err := conn.WriteToUDPAddrPort(out, server); err != nil {
				return err
			}
			_, _, err := conn.ReadFromUDPAddrPort(in)
			return err
		}})
	}
	return clients, nil
}

// node is PeerLink as an application uses it.
type node struct {
	echo func(*peerlink.Peer) error
}

func (node) serve(ip netip.Addr) (netip.AddrPort, error) {
	n, err := start("anchor", map[string]any{
		"echo": func(s string) string { return s },
		"blob": func(size int) []byte { return make([]byte, min(max(size, 0), 1<<24)) },
		// One argument is an array of one, and an array is a value.
		"raw": peerlink.RawHandler(func(_ context.Context, req peerlink.Payload) (peerlink.Payload, error) { return req, nil }),
	})
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(ip, n.UDPPort()), nil
}

// connect has all callers share one node.
func (t node) connect(server netip.AddrPort, callers int) (clients []client, _ error) {
	n, err := start("caller", nil)
	if err != nil {
		return nil, err
	}
	p, err := n.AddPeer("anchor", server, 0)
	if err != nil {
		return nil, err
	}
	for range callers {
		clients = append(clients, client{
			echo: func() error { return t.echo(p) },
			blob: func(size int) error { return fetch(p, size) },
		})
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

// encoded is ["xx…"] in CBOR, made once: what a call costs without its arguments.
var encoded = peerlink.Payload{Codec: peerlink.CBOR, Bytes: append([]byte{0x81, 0x78, byte(len(payload))}, payload...)}

func echoRaw(p *peerlink.Peer) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	out, err := p.CallRaw(ctx, "raw", encoded)
	if err == nil && len(out.Bytes) < len(payload) {
		return fmt.Errorf("the echo is %q", out.Bytes)
	}
	return err
}

func fetch(p *peerlink.Peer, size int) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	b, err := peerlink.Call[[]byte](ctx, p, "blob", size)
	if err == nil && len(b) != size {
		return fmt.Errorf("%d bytes instead of %d", len(b), size)
	}
	return err
}

// start starts a node that looks for nobody: discovery is another benchmark.
func start(name string, handlers map[string]any) (*peerlink.Node, error) {
	return peerlink.Start(context.Background(), peerlink.Config{Name: name, Discovery: []peerlink.Discovery{}, Handlers: handlers})
}
