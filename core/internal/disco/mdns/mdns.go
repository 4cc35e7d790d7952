// Package mdns is the default discovery backend: a responder and querier of its
// own for Multicast DNS (RFC 6762) and DNS-SD (RFC 6763), for one service type.
//
// Its goroutines:
//
//	loop.run    owns the engine: all state, every send, every call of the sink
//	conn.serve  one per address family: reads a socket, hands datagrams to run
//
// Close ends them and waits. The engine itself (everything but mdns.go, loop.go
// and socket.go) has no goroutine, no clock and no socket: time and datagrams
// come in as arguments.
//
// Where it leaves the RFC on purpose: it announces before its probes are through
// and renames itself later on conflict (§8.1); it reports a goodbye at once, not
// after a second (§10.1); it may repeat a multicast answer after 250 ms, not 1 s
// (§6), because a program that starts waits for it; and it never asks for unicast
// answers (§5.4), because port 5353 is shared and they may reach another process.
package mdns

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/disco/mdns/dnsname"
)

// New returns a backend that has not been started.
func New() disco.Backend { return &backend{} }

type backend struct {
	mu     sync.Mutex // serialises Start and Close
	loop   *loop
	closed bool
}

var errClosed = errors.New("mdns: closed")

func (b *backend) Start(env disco.Env, self disco.Service, sink disco.Sink) error {
	if err := check(self); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	if b.loop != nil {
		return errors.New("mdns: started twice")
	}
	self.TXT = slices.Clone(self.TXT)
	l, err := newLoop(env, self, sink)
	if err != nil {
		return err
	}
	b.loop = l
	go l.run()
	return nil
}

// check refuses what no DNS message can carry.
func check(s disco.Service) error {
	if s.Type == "" {
		return errors.New("mdns: no service type")
	}
	if s.Hidden {
		return nil
	}
	if !dnsname.Valid(s.Instance) {
		return fmt.Errorf("mdns: instance name %q is not 1 to 63 bytes of UTF-8", s.Instance)
	}
	if !dnsname.Valid(s.Host) {
		return fmt.Errorf("mdns: host label %q is not 1 to 63 bytes of UTF-8", s.Host)
	}
	return checkTXT(s.TXT)
}

func checkTXT(txt []string) error {
	total := 0
	for _, s := range txt {
		if len(s) > 255 {
			return fmt.Errorf("mdns: TXT string of %d bytes, 255 are possible", len(s))
		}
		total += 1 + len(s)
	}
	if total > maxText {
		return fmt.Errorf("mdns: TXT of %d bytes, %d are possible", total, maxText)
	}
	return nil
}

func (b *backend) started() *loop {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loop
}

// Update and the two after it only leave a note for the loop: they never wait.
func (b *backend) Update(txt []string) {
	l := b.started()
	if l == nil {
		return
	}
	if err := checkTXT(txt); err != nil {
		l.log.Warn("TXT not announced", "err", err)
		return
	}
	l.mail.update(txt)
}

func (b *backend) Reconfirm(instance string) {
	if l := b.started(); l != nil {
		l.mail.reconfirm(instance)
	}
}

func (b *backend) NetworkChanged() {
	if l := b.started(); l != nil {
		l.mail.networkChanged()
	}
}

func (b *backend) Close() error {
	b.mu.Lock()
	l, first := b.loop, !b.closed
	b.closed = true
	b.mu.Unlock()
	if l == nil {
		return nil
	}
	if first {
		close(l.quit)
	}
	<-l.done
	return nil
}
