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
	var state stateFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a few functions for demonstration, until interrupted",
		Long: `Serve a few functions for demonstration, until interrupted:

  add(a, b)     the sum of two numbers
  echo(value)   the value
  time()        the time of this machine, RFC 3339
  whoami()      the name the caller gave itself, and its address

The key of the node, and so its fingerprint, is kept over restarts: under its
name in the user's state directory.`,
		Args: cobra.NoArgs,
		RunE: work(func(ctx context.Context, _ []string) error { return a.serve(ctx, state) }),
	}
	cmd.Flags().StringVar(&state.dir, "state-dir", "", "keep the key in `DIR` (default: that of the name in ~/.local/state/peerlink, or where the system has such)")
	cmd.Flags().BoolVar(&state.none, "no-state", false, "use a new key, and do not keep it")
	cmd.MarkFlagsMutuallyExclusive("state-dir", "no-state")
	return cmd
}

func (a *app) serve(ctx context.Context, state stateFlags) error {
	if a.name == "" {
		a.name = hostLabel()
	}
	dir, err := state.of(a.name)
	if err != nil {
		return err
	}
	n, err := a.start(ctx, peerlink.Config{Handlers: demo(), StateDir: dir})
	if err != nil {
		return err
	}
	defer n.Close()
	a.out.print(map[string]any{
		"event": "ready", "name": n.Name(), "udp_port": n.UDPPort(), "tcp_port": n.TCPPort(), "fingerprint": n.Fingerprint(),
	}, "%s is ready: add, echo, time, whoami (UDP port %d, fingerprint %s). Stop it with Ctrl-C.", n.Name(), n.UDPPort(), n.Fingerprint())
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
