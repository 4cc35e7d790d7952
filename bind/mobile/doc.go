// Package peerlink is PeerLink for Android and iOS: the surface that gobind
// turns into Java classes and Objective-C classes.
//
//	Node n = new Node(Peerlink.newConfig("Phone2"), event -> { … });
//	n.start();
//	byte[] sum = n.callSync("Phone1", "add", Peerlink.encodeJSON("[25,17]"), 5000);
//	Peerlink.decodeJSON(sum); // "42"
//
// # Values
//
// Arguments and results are CBOR (RFC 8949). Arguments are the array of the
// positional ones, followed, if there are keyword arguments, by one map of them.
// EncodeJSON and DecodeJSON translate for programs without a CBOR library.
//
// A node passes them on as they are: check what a peer sent before you rely on it.
// Each may have up to 16 MiB; with nodes of Python peerlink 1.x, what fits into 1200
// bytes with what is around it.
//
// # Privacy
//
// Nodes of this library encrypt all they say to each other. Those with the same secret
// (Config.SetSecret) authenticate each other besides, and are found and called by
// nobody else.
//
// # Errors
//
// Java and Swift see the text of an error only, so that text ends in its code:
// "peer Phone1: call add: timed out (code 5)". ErrorCode reads it.
//
// # Threads
//
// Every method may be called on any thread, also from inside OnEvent. What comes
// back, OnEvent, OnReply, OnFail, Log and the methods of the drivers, comes on
// threads of the library, never on the main thread. OnEvent is called for one
// event at a time, in order; while it runs, no other event of that node is
// delivered, so it should return soon. Replies do not wait for OnEvent.
package peerlink

import core "github.com/peerlink/peerlink/core"

// Version returns the version of the library, such as "2.0.0".
func Version() string { return core.Version }
