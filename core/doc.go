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
// # Privacy
//
// Nodes of this version speak an encrypted protocol with each other. Those that are
// given the same Config.Secret form a realm: they authenticate each other, and nobody
// else finds, calls or overhears them. Without one anybody on the network can take
// part; Config.Allow and Peer.Fingerprint are for telling who is who.
//
// # Calls
//
// A call runs at most once, however many packets are lost, and survives losing a third
// of them. Arguments and results may have up to Limits.Message bytes, 16 MiB if not
// said otherwise. The deadline travels with the call, and ends the context of the
// handler; so does giving up. A peer that leaves or is restarted ends what waits for it
// with ErrGone. One that falls silent may come back, so calls go on waiting until their
// deadline; those without one end with ErrGone when the peer is given up.
//
// # Nodes of 1.x
//
// Nodes of PyPI peerlink 1.x are spoken to in their dialect: JSON in UDP datagrams of
// at most 1200 bytes, neither encrypted nor authenticated. A lost datagram is a call
// that times out: such a node would run a repeated request twice. A larger request is
// an error, CodeTooLarge. A larger result, or a function that is not there, is a
// RemoteError: that dialect has no codes. Config.Compat says whether to speak it.
//
// # Errors
//
// Functions return an *Error. Compare it with errors.Is and the Err… values, or
// look at its Code, which is the same number in every language.
//
// # Concurrency
//
// All methods may be called from any goroutine. Handlers may block, and as many run at
// once as Limits allows; the caller gets an error when it is full. One that has been
// quick so far is run by the goroutine that reads the socket, which another takes over
// if the handler blocks after all.
package peerlink
