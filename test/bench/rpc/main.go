//go:build linux

// Command rpc is one end of the call benchmark: a server that echoes, or a client
// that measures. It speaks either bare UDP or PeerLink.
//
//	rpc serve udp|node IP          prints {"addr": "IP:port"}, ends with its input
//	rpc call  udp|node IP:port     prints a result
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime/pprof"
	"strings"
	"time"
)

// payload is what is echoed.
var payload = strings.Repeat("x", 64)

// warmUp is how long calls are made before they count.
const warmUp = 200 * time.Millisecond

var (
	seconds = flag.Float64("secs", 2, "how long to measure, in `s`econds")
	callers = flag.Int("callers", 1, "how many calls are in flight")
	profile = flag.String("cpuprofile", "", "write a CPU profile of the measurement to `file`")
)

// An echo makes one call.
type echo func() error

// A transport is what the benchmark runs over.
type transport interface {
	// serve echoes until the process ends, and returns where.
	serve(ip netip.Addr) (netip.AddrPort, error)
	// connect returns a client of the server for each caller.
	connect(server netip.AddrPort, callers int) ([]echo, error)
}

var transports = map[string]transport{"udp": udp{}, "node": node{}}

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "rpc:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 || transports[args[1]] == nil {
		return errors.New("usage: rpc [flags] serve|call udp|node ADDRESS")
	}
	over := transports[args[1]]
	switch args[0] {
	case "serve":
		return serve(over, args[2])
	case "call":
		return call(over, args[2])
	default:
		return fmt.Errorf("neither serve nor call: %q", args[0])
	}
}

func serve(over transport, ip string) error {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return err
	}
	stop, err := startProfile()
	if err != nil {
		return err
	}
	defer stop()
	at, err := over.serve(addr)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"addr": at}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func call(over transport, addr string) error {
	server, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	clients, err := over.connect(server, *callers)
	if err != nil {
		return err
	}
	measure(clients, warmUp)
	stop, err := startProfile()
	if err != nil {
		return err
	}
	result := measure(clients, time.Duration(*seconds*float64(time.Second)))
	stop()
	return json.NewEncoder(os.Stdout).Encode(result)
}

// startProfile starts the profile that was asked for, if any.
func startProfile() (stop func(), err error) {
	if *profile == "" {
		return func() {}, nil
	}
	f, err := os.Create(*profile)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
