//go:build linux

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerlink/peerlink/core"
)

// An order is one line of the input of a node; exactly one of its fields is set. Each
// is answered by one line: an answer.
type order struct {
	Join *join `json:",omitempty"` // the first order
	Find *find `json:",omitempty"`
	Call *plan `json:",omitempty"`
	Runs bool  `json:",omitempty"` // asks for answer.Runs
}

// join starts the node.
type join struct {
	Name      string
	Discovery bool // false: it knows only the peers that it is given
	Secret    string
}

// find waits for a peer, or adds it if Addr is valid.
type find struct {
	Peer string
	Addr netip.AddrPort
}

// plan is calls of one peer.
type plan struct {
	Peer    string
	Func    string // add, count, echo or blob
	Calls   int
	Callers int // how many are in flight
	Size    int // of the text of echo, or of what blob returns
	Timeout time.Duration
}

type answer struct {
	Error  string         `json:",omitempty"`
	Addr   netip.AddrPort // of the peer that was found
	Legacy bool           // the peer that was found speaks the 1.x dialect
	Port   uint16         // of the node that joined
	Result *result        `json:",omitempty"`
	Runs   map[string]int `json:",omitempty"` // how often each handler has run
}

// result is what became of a plan.
type result struct {
	OK       int
	Wrong    int            // answers that are not what they should be, among OK
	Errors   map[string]int `json:",omitempty"` // by code
	P50, P99 time.Duration  // of all calls, failed ones included
	Max      time.Duration
}

// obey is the program of a node: it follows the orders until the input ends.
func obey(in io.Reader, out io.Writer) int {
	n := &node{runs: map[string]*atomic.Int64{"add": {}, "count": {}, "echo": {}, "blob": {}}}
	lines, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var o order
		err := lines.Decode(&o)
		if err == io.EOF {
			err = n.close()
			if err == nil {
				return 0
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		a, err := n.follow(o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return 1
		}
	}
}

// node is what runs in the process of a node.
type node struct {
	*peerlink.Node
	runs map[string]*atomic.Int64
}

func (n *node) close() error {
	if n.Node == nil {
		return nil
	}
	return n.Node.Close()
}

// patience is how long a peer is waited for.
const patience = 30 * time.Second

func (n *node) follow(o order) (answer, error) {
	if n.Node == nil && o.Join == nil {
		return answer{}, errors.New("the first order must be to join")
	}
	switch {
	case o.Join != nil:
		err := n.join(*o.Join)
		if err != nil {
			return answer{}, err
		}
		return answer{Port: n.UDPPort()}, nil
	case o.Find != nil:
		p, err := n.find(*o.Find)
		if err != nil {
			return answer{}, err
		}
		return answer{Addr: p.Addr(), Legacy: p.Legacy()}, nil
	case o.Call != nil:
		r, err := n.call(*o.Call)
		return answer{Result: r}, err
	default:
		return answer{Runs: n.ran()}, nil
	}
}

func (n *node) join(j join) (err error) {
	cfg := peerlink.Config{Name: j.Name, Secret: j.Secret, Handlers: n.handlers()}
	if !j.Discovery {
		cfg.Discovery = []peerlink.Discovery{}
	}
	n.Node, err = peerlink.Start(context.Background(), cfg)
	return err
}

func (n *node) handlers() map[string]any {
	counted := func(name string) int64 { return n.runs[name].Add(1) }
	return map[string]any{
		"add":   func(a, b int) int { counted("add"); return a + b },
		"count": func() int64 { return counted("count") },
		"echo":  func(text string) string { counted("echo"); return text },
		"blob":  func(size int) string { counted("blob"); return strings.Repeat("b", size) },
	}
}

func (n *node) ran() map[string]int {
	runs := make(map[string]int)
	for name, count := range n.runs {
		runs[name] = int(count.Load())
	}
	return runs
}

func (n *node) find(f find) (*peerlink.Peer, error) {
	if f.Addr.IsValid() {
		return n.AddPeer(f.Peer, f.Addr, 0)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return n.WaitPeer(ctx, f.Peer)
}

// call follows a plan with as many goroutines as there are callers.
func (n *node) call(p plan) (*result, error) {
	peer, err := n.Peer(p.Peer)
	if err != nil {
		return nil, err
	}
	c := &campaign{plan: p, peer: peer, seen: make(map[int64]bool)}
	c.Errors = make(map[string]int)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range max(1, p.Callers) {
		wg.Go(func() {
			for i := next.Add(1); int(i) <= p.Calls; i = next.Add(1) {
				c.one(int(i))
			}
		})
	}
	wg.Wait()
	return c.summary(), nil
}

// campaign is a plan under way.
type campaign struct {
	plan
	peer *peerlink.Peer

	mu sync.Mutex
	result
	times []time.Duration
	seen  map[int64]bool // what count has returned
}

func (c *campaign) one(i int) {
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	begin := time.Now()
	right, err := c.invoke(ctx, i)
	took := time.Since(begin)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.times = append(c.times, took)
	switch {
	case err != nil:
		c.Errors[peerlink.CodeOf(err).String()]++
	case !right:
		c.OK++
		c.Wrong++
	default:
		c.OK++
	}
}

// invoke reports whether the result is right.
func (c *campaign) invoke(ctx context.Context, i int) (right bool, err error) {
	switch c.Func {
	case "add":
		sum, err := peerlink.Call[int](ctx, c.peer, "add", i, 1000)
		return sum == i+1000, err
	case "count":
		number, err := peerlink.Call[int64](ctx, c.peer, "count")
		return err != nil || c.isNew(number), err
	case "echo":
		text := c.text(i)
		back, err := peerlink.Call[string](ctx, c.peer, "echo", text)
		return back == text, err
	case "blob":
		blob, err := peerlink.Call[string](ctx, c.peer, "blob", c.Size)
		return blob == strings.Repeat("b", c.Size), err
	}
	return false, fmt.Errorf("no function %q", c.Func)
}

// isNew tells a second answer of one run from a run of its own.
func (c *campaign) isNew(number int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[number] {
		return false
	}
	c.seen[number] = true
	return true
}

// text differs from call to call everywhere, so that parts of two calls that are
// mixed up show.
func (c *campaign) text(i int) string {
	unit := fmt.Sprintf("%d.", i)
	return string(bytes.Repeat([]byte(unit), c.Size/len(unit)+1)[:c.Size])
}

func (c *campaign) summary() *result {
	r := c.result
	slices.Sort(c.times)
	if n := len(c.times); n > 0 {
		r.P50, r.P99, r.Max = c.times[n/2], c.times[n*99/100], c.times[n-1]
	}
	return &r
}
