package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	peerlink "github.com/peerlink/peerlink/core"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve a few functions for demonstration, until interrupted",
		Long: `Serve a few functions for demonstration, until interrupted:

  add(a, b)     the sum of two numbers
  echo(value)   the value
  time()        the time of this machine, RFC 3339
  whoami()      the name the caller gave itself, and its address`,
		Args: cobra.NoArgs,
		RunE: work(func(ctx context.Context, _ []string) error { return a.serve(ctx) }),
	}
}

func (a *app) serve(ctx context.Context) error {
	if a.name == "" {
		a.name = hostLabel()
	}
	n, err := a.start(ctx, peerlink.Config{Handlers: demo()})
	if err != nil {
		return err
	}
	defer n.Close()
	a.out.print(map[string]any{"event": "ready", "name": n.Name(), "udp_port": n.UDPPort(), "tcp_port": n.TCPPort()},
		"%s is ready: add, echo, time, whoami (UDP port %d). Stop it with Ctrl-C.", n.Name(), n.UDPPort())
	for e := range n.Events(ctx) {
		if e.Kind == peerlink.Renamed {
			a.out.print(map[string]any{"event": e.Kind.String(), "name": e.Name}, "The name is taken: others find this node as %s", printable(e.Name))
			continue
		}
		a.out.print(map[string]any{"event": e.Kind.String(), "peer": describe(e.Peer), "reason": e.Reason},
			"%s", printable(e.String()))
	}
	return nil
}

// demo are the functions served.
func demo() map[string]any {
	return map[string]any{
		"add":  func(x, y float64) any { return whole(x + y) },
		"echo": func(v any) any { return v },
		"time": func() string { return time.Now().Format(time.RFC3339) },
		"whoami": func(ctx context.Context) string {
			c, _ := peerlink.CallerFrom(ctx)
			return fmt.Sprintf("%s at %s", c.Name, c.Addr)
		},
	}
}

// whole gives an integer where it is one, so that 25 + 17 is 42 and not 42.0.
func whole(x float64) any {
	if i := int64(x); float64(i) == x {
		return i
	}
	return x
}

// hostLabel is the machine's name without its domain.
func hostLabel() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "peerlink"
	}
	label, _, _ := strings.Cut(host, ".")
	return label
}
