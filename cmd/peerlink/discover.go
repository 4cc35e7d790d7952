package main

import (
	"context"
	"fmt"
	"strings"
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
		Args:  cobra.NoArgs,
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
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return &peerlink.Error{Code: peerlink.CodeCanceled, Op: "discover", Err: ctx.Err()}
	}
	found := []peerJSON{}
	for p := range n.Peers() {
		found = append(found, describe(p))
	}
	a.out.print(found, "%s", table(found))
	return nil
}

// table lists peers for people.
func table(peers []peerJSON) string {
	if len(peers) == 0 {
		return "No nodes found."
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tADDRESS\tVERSION")
	for _, p := range peers {
		fmt.Fprintf(w, "%s\t%s\t%s\n", printable(p.Name), p.Address, printable(p.Version))
	}
	_ = w.Flush()
	return strings.TrimRight(b.String(), "\n")
}
