// Package zeroconf is a discovery backend on github.com/grandcat/zeroconf v1.0.0,
// for those who prefer a known library to the engine of package mdns.
//
// The library's browser reports an instance once and asks no more after the first
// hit. This backend therefore browses in rounds that overlap, and compares them:
//   - a change is seen within a round, an instance is Lost (Expired) when some
//     rounds have missed it, and a goodbye is not heard at all;
//   - there is no conflict detection, and Reconfirm does nothing;
//   - all interfaces are told the addresses of all;
//   - Update and an interface change register anew (changing the text under the
//     library's feet is a data race), and so say goodbye for a moment;
//   - Close takes up to 3.6 s when it follows closely on one of those, because the
//     library's announcer cannot be stopped.
//
// Goroutines: backend.run owns all state; each round has one forwarder per address
// family, which run waits for.
package zeroconf

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/grandcat/zeroconf"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/disco/mdns/dnsname"
	"github.com/peerlink/peerlink/core/internal/netio"
)

const (
	domain       = "local."
	roundEvery   = 2 * time.Second
	roundLife    = 2 * roundEvery
	missedRounds = 4
	registerGap  = time.Second             // between two registrations
	announcing   = 3600 * time.Millisecond // how long the library announces
	maxInstances = 1024
)

// New returns a backend that has not been started.
func New() disco.Backend {
	return &backend{
		poke: make(chan struct{}, 1),
		quit: make(chan struct{}),
		done: make(chan struct{}),
		hits: make(chan *zeroconf.ServiceEntry),
		seen: map[string]*instance{},
	}
}

type backend struct {
	poke, quit, done chan struct{}
	hits             chan *zeroconf.ServiceEntry

	mu      sync.Mutex // guards what callers leave for run
	started bool
	closed  bool
	txt     []string
	stale   bool // what is registered is not what should be

	// The rest belongs to run.
	env        disco.Env
	sink       disco.Sink
	self       disco.Service
	ifs        []netio.Interface
	server     *zeroconf.Server
	registered time.Time
	failed     bool
	rounds     sync.WaitGroup
	seen       map[string]*instance
}

type instance struct {
	last disco.Sighting
	at   time.Time
}

func (b *backend) Start(env disco.Env, self disco.Service, sink disco.Sink) error {
	if self.Type == "" || !self.Hidden && (!dnsname.Valid(self.Instance) || !dnsname.Valid(self.Host) || self.Port == 0) {
		return errors.New("zeroconf: type, name, host or port is missing or too long")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.started || b.closed {
		return errors.New("zeroconf: started before, or closed")
	}
	b.started = true
	b.env, b.self, b.sink, b.txt = env, self, sink, slices.Clone(self.TXT)
	go b.run()
	b.wake()
	return nil
}

func (b *backend) Update(txt []string) {
	b.mu.Lock()
	b.txt, b.stale = slices.Clone(txt), true
	b.mu.Unlock()
	b.wake()
}

func (b *backend) NetworkChanged() { b.wake() }

// Reconfirm does nothing: the library cannot be made to ask for one instance.
func (b *backend) Reconfirm(string) {}

func (b *backend) wake() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

func (b *backend) Close() error {
	b.mu.Lock()
	started, first := b.started, !b.closed
	b.closed = true
	b.mu.Unlock()
	if first {
		close(b.quit)
	}
	if started {
		<-b.done
	}
	return nil
}

func (b *backend) run() {
	defer close(b.done)
	ctx, cancel := context.WithCancel(context.Background())
	defer b.rounds.Wait()
	defer cancel()
	defer b.unregister(true)
	round := time.NewTicker(roundEvery)
	defer round.Stop()
	for {
		select {
		case <-b.quit:
			return
		case e := <-b.hits:
			b.hit(e, time.Now())
			continue
		case <-round.C:
			b.expire(time.Now())
			b.scan()
			b.browse(ctx)
		case <-b.poke:
			if b.scan() {
				b.browse(ctx)
			}
		}
		b.register()
	}
}

// scan looks at the interfaces and tells whether they have changed.
func (b *backend) scan() bool {
	list, err := b.env.Interfaces()
	if err == nil && len(list) == 0 {
		err = errors.New("zeroconf: no network interface to use")
	}
	if err != nil {
		list = nil
		if !b.failed {
			b.sink.Failed(err)
		}
	}
	b.failed = err != nil
	if slices.EqualFunc(list, b.ifs, same) {
		return false
	}
	b.ifs = slices.Clone(list)
	b.mu.Lock()
	b.stale = true
	b.mu.Unlock()
	return true
}

func same(a, b netio.Interface) bool {
	return a.Index == b.Index && a.Flags == b.Flags && slices.Equal(a.Addrs, b.Addrs)
}

// register makes what is registered what should be; if the last registration is
// too fresh the next round will do it.
func (b *backend) register() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stale || b.self.Hidden || time.Since(b.registered) < registerGap {
		return
	}
	b.unregister(false)
	ips := addresses(b.ifs)
	if len(ips) == 0 { // the library would take that for "all interfaces"
		return
	}
	server, err := zeroconf.RegisterProxy(escape(b.self.Instance), b.self.Type, domain, int(b.self.Port),
		dnsname.Escape(b.self.Host), ips, dnsname.Texts(b.txt), netInterfaces(b.ifs))
	if err != nil {
		b.env.Log.Debug("not announced yet", "err", err)
		return
	}
	b.server, b.registered, b.stale = server, time.Now(), false
}

// unregister says goodbye; with wait it lets the library's announcer end.
func (b *backend) unregister(wait bool) {
	if b.server == nil {
		return
	}
	b.server.Shutdown()
	b.server = nil
	if wait {
		time.Sleep(time.Until(b.registered.Add(announcing)))
	}
}

// browse starts a round. The families are browsed apart, because the library
// gives up on both when one of them fails.
func (b *backend) browse(ctx context.Context) {
	if len(b.ifs) == 0 {
		return
	}
	for _, family := range []zeroconf.IPType{zeroconf.IPv4, zeroconf.IPv6} {
		r, err := zeroconf.NewResolver(zeroconf.SelectIPTraffic(family), zeroconf.SelectIfaces(netInterfaces(b.ifs)))
		if err != nil {
			continue
		}
		found := make(chan *zeroconf.ServiceEntry)
		ctx, cancel := context.WithTimeout(ctx, roundLife)
		_ = r.Browse(ctx, b.self.Type, domain, found) // if it fails it closes found
		b.rounds.Go(func() {
			defer cancel()
			for e := range found { // to the end, or the library would hang
				select {
				case b.hits <- e:
				case <-b.quit:
				}
			}
		})
	}
}

func (b *backend) hit(e *zeroconf.ServiceEntry, now time.Time) {
	s := sighting(e, b.ifs)
	if !dnsname.Valid(s.Instance) || len(s.Addrs) == 0 {
		return
	}
	i := b.seen[s.Instance]
	if i == nil {
		if len(b.seen) >= maxInstances {
			return
		}
		i = &instance{}
		b.seen[s.Instance] = i
	}
	i.at = now
	if slices.Equal(i.last.Addrs, s.Addrs) && slices.Equal(i.last.TXT, s.TXT) {
		return
	}
	i.last = s
	b.sink.Found(s)
}

func (b *backend) expire(now time.Time) {
	for name, i := range b.seen {
		if now.Sub(i.at) > missedRounds*roundEvery {
			delete(b.seen, name)
			b.sink.Lost(name, disco.Expired)
		}
	}
}
