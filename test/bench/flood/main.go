//go:build linux

// Command flood is what the flood benchmark is made of: a node that serves, a client
// that calls it at a steady rate, and a sender of packets that nobody wants.
//
//	flood serve IP               prints {"addr": "IP:port"}, its state for each line of
//	                             input, ends with it; logs to standard error
//	flood call IP:port           the client
//	flood send KIND IP:port      the sender; KIND is garbage or handshakes
//
// Client and sender print {"ready": true}, begin with a line of input, and print what
// came of it.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"
)

var (
	seconds = flag.Float64("secs", 30, "how long, in `s`econds")
	rate    = flag.Int("rate", 2000, "how many calls or packets a second")
)

var errUsage = errors.New("usage: flood [flags] serve IP | call IP:port | send garbage|handshakes IP:port")

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 || *rate < 1 {
		return errUsage
	}
	if args[0] == "serve" {
		return serve(args[1])
	}
	server, err := netip.ParseAddrPort(args[len(args)-1])
	if err != nil {
		return err
	}
	switch {
	case args[0] == "call" && len(args) == 2:
		return call(server)
	case args[0] == "send" && len(args) == 3 && kinds[args[1]] != nil:
		return send(server, kinds[args[1]])
	default:
		return errUsage
	}
}

// ready waits for the word to begin.
func ready() error {
	if err := say(map[string]bool{"ready": true}); err != nil {
		return err
	}
	bufio.NewScanner(os.Stdin).Scan()
	return nil
}

// say prints an object on a line.
func say(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

func duration() time.Duration { return time.Duration(*seconds * float64(time.Second)) }
