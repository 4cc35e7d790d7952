package peerlink

import (
	"context"
	"sync"
	"time"
)

// requestContext is the context of a handler. Most handlers never look at theirs, so
// it becomes a real one only when somebody asks.
type requestContext struct {
	node     *Node
	caller   *Caller
	deadline time.Time // zero: none

	mu       sync.Mutex
	real     context.Context
	stop     context.CancelFunc
	canceled bool
}

// Deadline returns when the caller stops waiting.
func (c *requestContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Done is closed when nobody waits any more, or the node closes.
func (c *requestContext) Done() <-chan struct{} { return c.made().Done() }

// Err says why Done is closed.
func (c *requestContext) Err() error { return c.made().Err() }

// Value returns the caller, for CallerFrom.
func (c *requestContext) Value(key any) any {
	if key == (callerKey{}) {
		return c.caller
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil { // as long as nobody can have asked for Done, there is none to find
		return c.node.ctx.Value(key)
	}
	return c.real.Value(key)
}

func (c *requestContext) made() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		if c.deadline.IsZero() {
			c.real, c.stop = context.WithCancel(c.node.ctx)
		} else {
			c.real, c.stop = context.WithDeadline(c.node.ctx, c.deadline)
		}
		if c.canceled {
			c.stop()
		}
	}
	return c.real
}

// over reports whether the caller's time is over: it has given up, or is about to.
func (c *requestContext) over() bool { return !c.deadline.IsZero() && !time.Now().Before(c.deadline) }

// cancel ends the context.
func (c *requestContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.canceled = true
	if c.stop != nil {
		c.stop()
	}
}
