//go:build linux

package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
)

// timeout is that of one call.
const timeout = 2 * time.Second

var payload = strings.Repeat("x", 64)

// answers is what became of the calls.
type answers struct {
	Seconds  float64 `json:"seconds"`
	OK       int     `json:"ok"`
	Timeouts int     `json:"timeouts"`
	Errors   int     `json:"errors"` // without time-outs
	Example  string  `json:"example_of_an_error,omitempty"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`

	mu   sync.Mutex
	took []time.Duration
}

// call makes calls at a rate, whether those before are answered or not: a server that
// falls behind does not get fewer.
func call(server netip.AddrPort) error {
	n, err := start("caller", peerlink.Config{})
	if err != nil {
		return err
	}
	defer n.Close()
	p, err := n.AddPeer("anchor", server, 0)
	if err != nil {
		return err
	}
	if err := echo(p); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	var a answers
	a.collect(p)
	return say(&a)
}

func (a *answers) collect(p *peerlink.Peer) {
	var wg sync.WaitGroup
	interval := time.Second / time.Duration(*rate)
	begin := time.Now()
	for next := begin; time.Since(begin) < duration(); time.Sleep(200 * time.Microsecond) {
		now := time.Now()
		if now.Sub(next) > arrears {
			next = now.Add(-arrears) // a burst is not what is asked of the server
		}
		for ; next.Before(now); next = next.Add(interval) {
			wg.Go(func() { a.note(now, echo(p)) })
		}
	}
	a.Seconds = time.Since(begin).Seconds()
	wg.Wait()
	slices.Sort(a.took)
	a.OK = len(a.took)
	if a.OK > 0 {
		a.P50 = float64(a.took[a.OK/2].Nanoseconds()) / 1e3
		a.P99 = float64(a.took[a.OK*99/100].Nanoseconds()) / 1e3
	}
}

func (a *answers) note(released time.Time, err error) {
	d := time.Since(released)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		a.took = append(a.took, d)
	case errors.Is(err, peerlink.ErrTimeout):
		a.Timeouts++
	default:
		a.Errors++
		a.Example = err.Error()
	}
}

func echo(p *peerlink.Peer) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s, err := peerlink.Call[string](ctx, p, "echo", payload)
	if err == nil && s != payload {
		return errors.New("another echo")
	}
	return err
}
