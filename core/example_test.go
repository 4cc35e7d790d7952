package peerlink_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
)

// local starts a node that stays on this machine, for the examples.
func local(name string) *peerlink.Node {
	node, err := peerlink.Start(context.Background(), peerlink.Config{
		Name: name,
		Interfaces: func() ([]peerlink.Interface, error) {
			list, err := peerlink.SystemInterfaces()
			var loopback []peerlink.Interface
			for _, i := range list {
				if i.Flags&net.FlagLoopback != 0 {
					loopback = append(loopback, i)
				}
			}
			return loopback, err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	return node
}

// Two nodes find each other; one calls a function of the other.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	alice := local("alice")
	defer alice.Close()
	if err := alice.Handle("add", func(a, b int) int { return a + b }); err != nil {
		log.Fatal(err)
	}

	bob := local("bob")
	defer bob.Close()
	peer, err := bob.WaitPeer(ctx, "alice")
	if err != nil {
		log.Fatal(err)
	}
	sum, err := peerlink.Call[int](ctx, peer, "add", 25, 17)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
	// Output: 42
}

// Handlers take a context first if they want one, and return a result, an error, or
// both. The context knows the caller.
func ExampleNode_Handle() {
	node := local("greeter")
	defer node.Close()
	err := node.Handle("greet", func(ctx context.Context, greeting string) (string, error) {
		caller, _ := peerlink.CallerFrom(ctx)
		if greeting == "" {
			return "", &peerlink.RemoteError{Type: "ValueError", Message: "what shall I say?"}
		}
		return greeting + ", " + caller.Name, nil
	})
	fmt.Println(err)
	// Output: <nil>
}

// Errors carry a code; what a handler of the peer returned is a RemoteError.
func ExampleRemoteError() {
	ctx := context.Background()
	server, client := local("server"), local("client")
	defer server.Close()
	defer client.Close()
	peer, err := client.AddPeer("server", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), server.UDPPort()), 0)
	if err != nil {
		log.Fatal(err)
	}

	err = peer.Call(ctx, nil, "no such function")
	if remote, ok := errors.AsType[*peerlink.RemoteError](err); ok {
		fmt.Println(remote.Message)
	}
	_, err = client.Peer("somebody")
	fmt.Println(errors.Is(err, peerlink.ErrPeerNotFound))
	// Output:
	// No function 'no such function' registered
	// true
}

// CallAll asks everybody at once.
func ExampleCallAll() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	one, two, asker := local("one"), local("two"), local("asker")
	defer one.Close()
	defer two.Close()
	defer asker.Close()
	for _, n := range []*peerlink.Node{one, two} {
		if err := n.Handle("length", func(s string) int { return len(s) }); err != nil {
			log.Fatal(err)
		}
	}
	for _, name := range []string{"one", "two"} {
		if _, err := asker.WaitPeer(ctx, name); err != nil {
			log.Fatal(err)
		}
	}
	total := 0
	for _, result := range peerlink.CallAll[int](ctx, asker, "length", "four") {
		if result.Err == nil { // others on the network may not have this function
			total += result.Value
		}
	}
	fmt.Println(total)
	// Output: 8
}
