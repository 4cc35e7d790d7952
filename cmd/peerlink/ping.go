package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	peerlink "github.com/peerlink/peerlink/core"
)

func (a *app) pingCommand() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "ping NAME",
		Short: "Measure the round trip to a node",
		Args:  cobra.ExactArgs(1),
		RunE: work(func(ctx context.Context, args []string) error {
			return a.ping(ctx, args[0], timeout)
		}),
	}
	cmd.Flags().DurationVar(&timeout, "timeout", peerlink.DefaultTimeout, "how long to look for the node, and to wait for its answer")
	return cmd
}

func (a *app) ping(ctx context.Context, name string, timeout time.Duration) error {
	n, err := a.start(ctx, peerlink.Config{Hidden: true})
	if err != nil {
		return err
	}
	defer n.Close()
	p, err := waitFor(ctx, n, name, timeout)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := p.Ping(ctx); err != nil {
		return err
	}
	d := describe(p)
	a.out.print(d, "%s at %s answered in %s (security %s, fingerprint %s, loss %s)",
		printable(d.Name), d.Address, d.roundTrip(), d.security(), d.fingerprint(), d.loss())
	return nil
}
