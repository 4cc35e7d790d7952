package simnet

// Stats count datagrams since New, and bytes of UDP payload. Each one that was
// sent or duplicated has been delivered, has vanished for exactly one of the reasons
// below Delivered, or is still on the way.
type Stats struct {
	Sent, SentBytes           uint64 // by sockets and Inject
	Duplicated                uint64
	Delivered, DeliveredBytes uint64 // into the queue of a socket

	Lost        uint64 // by chance
	Partitioned uint64
	TooLarge    uint64 // for the MTU
	QueueFull   uint64 // of a link with a rate
	Overflowed  uint64 // the receive buffer of a socket
	Unreachable uint64 // no socket was there on arrival

	OnTheWay uint64 // now

	Corrupted, Reordered uint64 // among those that were not lost
}

// Stats returns the present counts.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stats
	s.OnTheWay = uint64(len(n.way.due))
	return s
}
