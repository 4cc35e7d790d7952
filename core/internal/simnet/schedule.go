package simnet

import (
	"cmp"
	"container/heap"
	"time"
)

// A schedule holds the datagrams on the way and the timer for the first of them.
type schedule struct {
	due   dueHeap
	seq   uint64
	timer *time.Timer
	armed bool
	alarm time.Duration // when the timer fires, if armed
}

// deliverAt delivers p at that time, or at once if that is not in the future. n.mu
// is held, as everywhere here.
func (n *Network) deliverAt(at, now time.Duration, p *packet) {
	if at <= now {
		n.deliver(p)
		return
	}
	n.way.seq++
	p.at, p.seq = at, n.way.seq
	heap.Push(&n.way.due, p)
	n.arm(now)
}

// deliverDue delivers all whose time has come.
func (n *Network) deliverDue(now time.Duration) {
	w := &n.way
	for len(w.due) > 0 && w.due[0].at <= now {
		n.deliver(heap.Pop(&w.due).(*packet))
	}
}

// arm sets the timer for the first datagram, unless it fires early enough anyway.
func (n *Network) arm(now time.Duration) {
	w := &n.way
	if len(w.due) == 0 || w.armed && w.alarm <= w.due[0].at {
		return
	}
	w.armed, w.alarm = true, w.due[0].at
	if w.timer == nil {
		w.timer = time.AfterFunc(w.alarm-now, n.ring)
	} else {
		w.timer.Reset(w.alarm - now)
	}
}

// ring runs when the timer has fired.
func (n *Network) ring() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.way.armed = false
	n.deliverDue(now)
	n.arm(now)
}

// dropWay loses all that is on the way.
func (n *Network) dropWay() {
	w := &n.way
	n.stats.Unreachable += uint64(len(w.due))
	w.due = nil
	if w.timer != nil {
		w.timer.Stop()
	}
}

// A dueHeap has the datagram that arrives first in front.
type dueHeap []*packet

func (h dueHeap) Len() int      { return len(h) }
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(p any)   { *h = append(*h, p.(*packet)) }

func (h dueHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].at, h[j].at), cmp.Compare(h[i].seq, h[j].seq)) < 0
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return p
}
