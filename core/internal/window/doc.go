// Package window keeps account of packets: which of the peer's came and when that
// must be said (Received), which of ours are under way, lost or late (Sent), how
// long the way takes (RTT) and how much may be on it (Congestion). It is RFC 9002
// with one packet number space and the changes of docs/PROTOCOL.md §10.
//
// It has no sockets and no clock: time comes in as an argument and must not run
// backwards. Nothing here is safe for concurrent use.
package window

// MaxRanges is how many ranges an ACK holds at most.
const MaxRanges = 32

// A Range is the packet numbers from First to Last, both included.
type Range struct{ First, Last uint64 }
