package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	peerlink "github.com/peerlink/peerlink/core"
)

func (a *app) discoverCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "discover",
		Short: "List the nodes of this network",
		Long: `List the nodes of this network that are of the same realm: with a secret, those
that have it too.

SECURITY is authenticated (encrypted, and the node has proved that it has the
secret), encrypted, or none (a 1.x node, or one that has not answered yet).
FINGERPRINT names the key of the node: the first 16 digits, of which --json
prints all 64. LOSS is the share of packets that had to be sent again.`,
		Args: cobra.NoArgs,
		RunE: work(func(ctx context.Context, _ []string) error {
			return a.discover(ctx, wait)
		}),
	}
	cmd.Flags().DurationVar(&wait, "wait", 2*time.Second, "how long to look")
	return cmd
}

func (a *app) discover(ctx context.Context, wait time.Duration) error {
	n, err := a.start(ctx, peerlink.Config{Hidden: true})
	if err != nil {
		return err
	}
	defer n.Close()
	ask(ctx, n, wait)
	if ctx.Err() != nil {
		return &peerlink.Error{Code: peerlink.CodeCanceled, Op: "discover", Err: ctx.Err()}
	}
	found := []peerJSON{}
	for p := range n.Peers() {
		found = append(found, describe(p))
	}
	a.out.print(found, "%s", table(found))
	return nil
}

// maxAsked is how many peers are asked: as many as a node knows.
const maxAsked = 1024

// ask pings the peers that are found, for as long as wait: what else they say of
// themselves is proved or measured only then.
func ask(ctx context.Context, n *peerlink.Node, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	asked := make(map[*peerlink.Peer]bool)
	var pings sync.WaitGroup
	defer pings.Wait()
	for e := range n.Events(ctx) {
		if p := e.Peer; p != nil && p.Up() && !asked[p] && len(asked) < maxAsked {
			asked[p] = true
			pings.Go(func() { _ = p.Ping(ctx) }) // who does not answer is listed all the same
		}
	}
}

// table lists peers for people.
func table(peers []peerJSON) string {
	if len(peers) == 0 {
		return "No nodes found."
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tADDRESS\tVERSION\tSECURITY\tFINGERPRINT\tRTT\tLOSS")
	for _, p := range peers {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			printable(p.Name), p.Address, printable(p.Version), p.security(), p.fingerprint(), p.roundTrip(), p.loss())
	}
	_ = w.Flush()
	return strings.TrimRight(b.String(), "\n")
}
