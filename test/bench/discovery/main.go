//go:build linux

// Command discovery is a node that starts and stops when it is told to, and says
// what it sees. Its input are lines "start NAME" and "stop"; it ends with its input.
// It prints one JSON object for each event, with the time by CLOCK_MONOTONIC, which
// all processes of one machine share.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"

	peerlink "github.com/peerlink/peerlink/core"
	"golang.org/x/sys/unix"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "discovery:", err)
		os.Exit(1)
	}
}

func run() error {
	var r runner
	in := bufio.NewScanner(os.Stdin)
	say("ready", "")
	for in.Scan() {
		verb, name, _ := strings.Cut(in.Text(), " ")
		if err := r.do(verb, name); err != nil {
			return err
		}
	}
	return r.stop()
}

// runner holds the node while it runs.
type runner struct {
	node *peerlink.Node
	done chan struct{}
}

func (r *runner) do(verb, name string) error {
	switch verb {
	case "start":
		return r.start(name)
	case "stop":
		return r.stop()
	default:
		return fmt.Errorf("what is %q?", verb)
	}
}

func (r *runner) start(name string) (err error) {
	say("start", "")
	if r.node, err = peerlink.Start(context.Background(), peerlink.Config{Name: name}); err != nil {
		return err
	}
	n, done := r.node, make(chan struct{})
	r.done = done
	go func() {
		defer close(done)
		for e := range n.Events(context.Background()) {
			say(e.Kind.String(), e.Peer.Name())
		}
	}()
	say("started", "")
	return nil
}

func (r *runner) stop() error {
	if r.node == nil {
		return nil
	}
	say("stop", "")
	err := r.node.Close()
	<-r.done
	r.node = nil
	say("stopped", "")
	return err
}

var output sync.Mutex

// say prints an event. It takes the time first.
func say(what, peer string) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err) // every Linux has it
	}
	output.Lock()
	defer output.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"ns": now.Nano(), "what": what, "peer": peer})
}
