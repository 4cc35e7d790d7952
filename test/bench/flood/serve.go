//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	peerlink "github.com/peerlink/peerlink/core"
)

func serve(ip string) error {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return err
	}
	n, err := start("anchor", peerlink.Config{
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Handlers: map[string]any{"echo": func(s string) string { return s }},
	})
	if err != nil {
		return err
	}
	defer n.Close()
	if err := say(map[string]any{"addr": netip.AddrPortFrom(addr, n.UDPPort())}); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if err := say(now()); err != nil {
			return err
		}
	}
	return in.Err()
}

// start starts a node that looks for nobody.
func start(name string, cfg peerlink.Config) (*peerlink.Node, error) {
	cfg.Name, cfg.Discovery = name, []peerlink.Discovery{}
	return peerlink.Start(context.Background(), cfg)
}

// state is the memory of this process, and what its host received.
type state struct {
	Now     int `json:"rss_kib"`
	Max     int `json:"max_rss_kib"` // since it was last asked
	Packets int `json:"udp_packets"` // read from sockets
	Dropped int `json:"udp_dropped"` // because the queue of a socket was full
}

func now() (s state) {
	for line := range lines("/proc/self/status") {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &s.Now)
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &s.Max)
	}
	for line := range lines("/proc/self/net/snmp") {
		var other int
		_, _ = fmt.Sscanf(line, "Udp: %d %d %d %d %d", &s.Packets, &other, &other, &other, &s.Dropped)
	}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // proc(5): VmHWM begins anew
	return s
}

func lines(file string) iter.Seq[string] {
	b, _ := os.ReadFile(file) // always there
	return strings.Lines(string(b))
}
