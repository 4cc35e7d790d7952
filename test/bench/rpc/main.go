//go:build linux

// Command rpc is one end of a benchmark: a server, or a client that measures.
//
//	rpc serve TRANSPORT IP          prints {"addr": "IP:port"}, and its allocations for
//	                                each line "memory"; ends with its input
//	rpc call TRANSPORT IP:port      echoes one after the other: prints a result
//	rpc blob TRANSPORT IP:port      results of -size bytes: prints a result
//	rpc bulk TRANSPORT IP:port      echoes without and with a bulk transfer beside them
//	rpc memory TRANSPORT IP:port    what -calls echoes allocate
//
// The program in ../peers is built of the same files, but for transports.go: links
// to them, because it belongs to another module.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
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

// timeout is that of one call.
const timeout = 2 * time.Second

var (
	seconds = flag.Float64("secs", 2, "how long to measure, in `s`econds")
	callers = flag.Int("callers", 1, "how many calls are in flight")
	size    = flag.Int("size", 1<<20, "how large a result is, in `bytes`")
	calls   = flag.Int("calls", 20000, "how many calls memory is measured over")
	profile = flag.String("cpuprofile", "", "write a CPU profile of the measurement to `file`")
)

// A client is one caller's end. Callers may share what is behind it.
type client struct {
	echo func() error
	blob func(size int) error // nil if the transport has no such function
}

// A transport is what the benchmark runs over.
type transport interface {
	// serve answers until the process ends, and returns where.
	serve(ip netip.Addr) (netip.AddrPort, error)
	// connect returns a client of the server for each caller.
	connect(server netip.AddrPort, callers int) ([]client, error)
}

// verbs are what a client can do. Each prints one or more JSON objects.
var verbs = map[string]func([]client) error{"call": call, "blob": blob, "bulk": bulk, "memory": memory}

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "rpc:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 || transports[args[1]] == nil {
		return errors.New("usage: rpc [flags] serve|call|blob|bulk|memory TRANSPORT ADDRESS")
	}
	over := transports[args[1]]
	if args[0] == "serve" {
		return serve(over, args[2])
	}
	verb := verbs[args[0]]
	if verb == nil {
		return fmt.Errorf("what is %q?", args[0])
	}
	server, err := netip.ParseAddrPort(args[2])
	if err != nil {
		return err
	}
	clients, err := over.connect(server, *callers)
	if err != nil {
		return err
	}
	return verb(clients)
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
	if err := say(map[string]any{"addr": at}); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if err := say(allocated()); err != nil {
			return err
		}
	}
	return in.Err()
}

// say prints an object on a line.
func say(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

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
