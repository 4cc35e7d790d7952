// Command gopeer is a PeerLink node for the tests of other languages. It offers
// add(a, b), and askBack(function), which calls that function of its caller and
// returns what it says. It prints READY, and ends when its input does.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	peerlink "github.com/peerlink/peerlink/core"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gopeer:", err)
		os.Exit(1)
	}
}

func run(name string) error {
	node, err := peerlink.Start(context.Background(), peerlink.Config{Name: name})
	if err != nil {
		return err
	}
	defer node.Close()
	if err := node.Handle("add", func(a, b int) int { return a + b }); err != nil {
		return err
	}
	if err := node.Handle("askBack", askBack(node)); err != nil {
		return err
	}
	fmt.Println("READY")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func askBack(node *peerlink.Node) any {
	return func(ctx context.Context, function string) (string, error) {
		caller, _ := peerlink.CallerFrom(ctx)
		peer, err := node.WaitPeer(ctx, caller.Name) // it may have found us first
		if err != nil {
			return "", err
		}
		return peerlink.Call[string](ctx, peer, function, "from Go")
	}
}
