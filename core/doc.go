// Package peerlink joins the programs on one network without configuration: give
// a node a name, and call functions on other nodes by theirs.
//
//	node, err := peerlink.Start(ctx, peerlink.Config{Name: "Phone1"})
//	...
//	defer node.Close()
//	node.Handle("add", func(a, b int) int { return a + b })
//
// and in another program, on the same machine or the same LAN,
//
//	node, err := peerlink.Start(ctx, peerlink.Config{Name: "Phone2"})
//	...
//	phone1, err := node.WaitPeer(ctx, "Phone1")
//	...
//	sum, err := peerlink.Call[int](ctx, phone1, "add", 25, 17) // 42
//
// # Names
//
// A node is found by its exact name, or else by the only one that differs in case.
// If a second node starts under a name, it is announced as "Name (2)", and the name
// goes on meaning the first. Where discovery cannot settle it, calling the name
// fails with ErrAmbiguous: there is never a silent choice.
//
// # Discovery
//
// Nodes find each other by multicast DNS (RFC 6762), on every usable interface and
// over loopback. Where multicast is filtered, Node.AddPeer takes an address.
//
// # What is on the wire
//
// This version speaks the dialect of PyPI peerlink 1.x with everybody: JSON in UDP
// datagrams of at most 1200 bytes. It is neither encrypted nor authenticated, and a
// lost datagram is a call that times out: a 1.x node would run a repeated request
// twice. A larger request is an error, CodeTooLarge. A larger result, or a function
// that is not there, is a RemoteError: that dialect has no codes.
//
// # Errors
//
// Functions return an *Error. Compare it with errors.Is and the Err… values, or
// look at its Code, which is the same number in every language.
//
// # Concurrency
//
// All methods may be called from any goroutine. Handlers run on goroutines of their
// own, as many at once as Limits allows; the caller gets an error when it is full.
package peerlink
