package peerlink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerlink/peerlink/core/internal/simnet"
)

// world is nodes on a network in memory, in virtual time.
type world struct {
	*testing.T
	net *simnet.Network
	lan air
}

// virtual runs a test in a bubble. Pools that hold channels must not cross its border.
func virtual(t *testing.T, f func(w *world)) {
	t.Helper()
	fresh := outCalls.New
	empty := func() { outCalls = sync.Pool{New: fresh} }
	empty()
	defer empty()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, net: simnet.New(1)}
		t.Cleanup(w.net.Close) // after the nodes
		f(w)
	})
}

func ip(text string) netip.Addr { return netip.MustParseAddr(text) }

// node starts a node without discovery, unless cfg has some, on the host at ip.
func (w *world) node(host, name string, cfg Config) *Node {
	w.Helper()
	cfg.Name, cfg.network = name, w.net.Host(ip(host))
	if cfg.Discovery == nil {
		cfg.Discovery = []Discovery{}
	}
	return start(w.T, cfg)
}

// found starts a node that others discover.
func (w *world) found(host, name string, cfg Config) *Node {
	w.Helper()
	cfg.Discovery = []Discovery{w.lan.join(w.net.Host(ip(host)))}
	return w.node(host, name, cfg)
}

// at is where a node is reached.
func at(n *Node) netip.AddrPort {
	return netip.AddrPortFrom(n.conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Addr(), n.UDPPort())
}

// knows introduces b to a by address.
func (w *world) knows(a, b *Node) *Peer {
	w.Helper()
	p, err := a.AddPeer(b.Name(), at(b), 0)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// duo is a caller and a node with an echo, at 10.0.0.1 and 10.0.0.2.
func (w *world) duo() (a, b *Node, toB *Peer) {
	w.Helper()
	a, b = w.node("10.0.0.1", "A", Config{}), w.node("10.0.0.2", "B", Config{})
	handle(w.T, b, "echo", func(v []byte) []byte { return v })
	handle(w.T, b, "nap", func(ms int) { time.Sleep(time.Duration(ms) * time.Millisecond) })
	return a, b, w.knows(a, b)
}

var (
	ipA = ip("10.0.0.1")
	ipB = ip("10.0.0.2")
	ipC = ip("10.0.0.3")
)

// echo calls it and checks the answer.
func echo(p *Peer, timeout time.Duration, size int) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	want := bytes.Repeat([]byte{byte(size)}, size)
	got, err := Call[[]byte](ctx, p, "echo", want)
	if err == nil && !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes came back of %d", len(got), size)
	}
	return err
}

func (w *world) mustEcho(p *Peer, timeout time.Duration, size int) {
	w.Helper()
	if err := echo(p, timeout, size); err != nil {
		w.Fatalf("%d bytes to %s: %v", size, p.Name(), err)
	}
}

// cut cuts both directions, or heals them.
func (w *world) cut(a, b netip.Addr, on bool) {
	w.net.Partition(a, b, on)
	w.net.Partition(b, a, on)
}

// when waits until cond holds, and returns for how long.
func (w *world) when(most time.Duration, what string, cond func() bool) time.Duration {
	w.Helper()
	begin := time.Now()
	for !cond() {
		if time.Since(begin) > most {
			w.Fatalf("not within %v: %s", most, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(begin)
}

// air is discovery in memory between hosts.
type air struct {
	mu  sync.Mutex
	all []*airBackend
}

type airBackend struct {
	air  *air
	host *simnet.Host
	self Service
	sink DiscoverySink // nil before Start and after Close
}

func (a *air) join(h *simnet.Host) *airBackend {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := &airBackend{air: a, host: h}
	a.all = append(a.all, b)
	return b
}

// others returns the sinks of the others, and what they announce.
func (b *airBackend) others() (sinks []DiscoverySink, seen []Sighting) {
	b.air.mu.Lock()
	defer b.air.mu.Unlock()
	for _, o := range b.air.all {
		if o != b && o.sink != nil && o.self.Type == b.self.Type {
			sinks, seen = append(sinks, o.sink), append(seen, o.sighting())
		}
	}
	return sinks, seen
}

func (b *airBackend) sighting() Sighting {
	return Sighting{Instance: b.self.Instance, TXT: b.self.TXT, Addrs: []netip.AddrPort{netip.AddrPortFrom(b.host.Addr(), b.self.Port)}}
}

func (b *airBackend) Start(_ DiscoveryEnv, self Service, sink DiscoverySink) error {
	b.air.mu.Lock()
	b.self, b.sink = self, sink
	b.air.mu.Unlock()
	sinks, seen := b.others()
	for i := range sinks {
		sinks[i].Found(b.sighting())
		sink.Found(seen[i])
	}
	return nil
}

func (b *airBackend) Update([]string)  {}
func (b *airBackend) Reconfirm(string) {}
func (b *airBackend) NetworkChanged()  {}

func (b *airBackend) Close() error {
	sinks, _ := b.others()
	b.air.mu.Lock()
	gone := b.sink == nil
	b.sink = nil
	b.air.mu.Unlock()
	for _, s := range sinks {
		if !gone {
			s.Lost(b.self.Instance, Removed)
		}
	}
	return nil
}

// doomed starts a node for crash to end.
func (w *world) doomed(host, name string) *Node {
	w.Helper()
	h := w.net.Host(ip(host))
	n, err := Start(w.Context(), Config{Name: name, Discovery: []Discovery{w.lan.join(h)}, network: h})
	if err != nil {
		w.Fatal(err)
	}
	return n
}

// crash takes a node off the network without a goodbye.
func (w *world) crash(n *Node) {
	w.lan.mu.Lock()
	for _, b := range n.discovery() {
		b.(*airBackend).sink = nil
	}
	w.lan.mu.Unlock()
	_ = n.conn.Close()
	_ = n.tcp.Close()
	_ = n.Close() // complains of the sockets
}

func TestFault_Loss(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault simnet.Faults
		hit   func(simnet.Stats) uint64
	}{
		{"loss 10 %", simnet.Faults{Loss: 0.1}, func(s simnet.Stats) uint64 { return s.Lost }},
		{"loss 30 %", simnet.Faults{Loss: 0.3}, func(s simnet.Stats) uint64 { return s.Lost }},
		{"duplicate 20 %", simnet.Faults{Duplicate: 0.2}, func(s simnet.Stats) uint64 { return s.Duplicated }},
		{"reorder 25 %", simnet.Faults{Reorder: 0.25}, func(s simnet.Stats) uint64 { return s.Reordered }},
		{"corruption 10 %", simnet.Faults{Corrupt: 0.1}, func(s simnet.Stats) uint64 { return s.Corrupted }},
		{"all at once", simnet.Faults{Loss: 0.1, Duplicate: 0.2, Reorder: 0.25, Corrupt: 0.05, Jitter: 20 * time.Millisecond},
			func(s simnet.Stats) uint64 { return min(s.Lost, s.Duplicated, s.Reordered, s.Corrupted) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(w *world) {
				_, b, toB := w.duo()
				var mu sync.Mutex
				runs := map[int]int{}
				handle(w.T, b, "count", func(v int) int { mu.Lock(); runs[v]++; mu.Unlock(); return v })
				tt.fault.Delay = 5 * time.Millisecond
				w.net.SetFaults(tt.fault)
				const calls = 1000
				var failed atomic.Int32
				var wg sync.WaitGroup
				for c := range 10 {
					wg.Go(func() {
						for i := range calls / 10 {
							v := c*calls + i
							if got, err := Call[int](context.Background(), toB, "count", v); err != nil || got != v {
								failed.Add(1)
								w.Logf("call %d: %v", v, err)
							}
						}
					})
				}
				wg.Wait()
				for i := range 20 {
					w.mustEcho(toB, 20*time.Second, 20_000*i/10)
				}
				for v, k := range runs {
					if k != 1 {
						w.Errorf("call %d was executed %d times", v, k)
					}
				}
				if len(runs) != calls || failed.Load() > 0 {
					w.Errorf("%d of %d calls arrived, %d failed", len(runs), calls, failed.Load())
				}
				if hit := tt.hit(w.net.Stats()); hit < 50 {
					w.Errorf("the fault happened %d times only", hit)
				}
			})
		})
	}
}

// A spike of 2 s is no death, and not everything is sent again and again meanwhile.
func TestFault_DelaySpikes(t *testing.T) {
	virtual(t, func(w *world) {
		a, b, toB := w.duo()
		w.knows(b, a)
		w.mustEcho(toB, time.Second, 1)
		var down atomic.Int32
		for _, n := range []*Node{a, b} {
			go func() {
				for e := range n.Events(w.Context()) {
					if e.Kind == PeerDown {
						down.Add(1)
					}
				}
			}()
		}
		run := func() uint64 {
			before := w.net.Stats().SentBytes
			for range 600 {
				w.mustEcho(toB, 10*time.Second, 500)
				time.Sleep(100 * time.Millisecond)
			}
			return w.net.Stats().SentBytes - before
		}
		calm := run()
		w.net.SetFaults(simnet.Faults{Delay: time.Millisecond, Jitter: 10 * time.Millisecond, SpikeEvery: 20 * time.Second, SpikeFor: 2 * time.Second})
		begin := time.Now()
		rough := run()
		if took := time.Since(begin); took < 61*time.Second {
			w.Errorf("no spike was felt in %v", took)
		}
		if rough > calm*3/2 {
			w.Errorf("%d bytes instead of %d", rough, calm)
		}
		if k := down.Load(); k > 0 {
			w.Errorf("%d times a peer was taken for gone", k)
		}
	})
}

// Larger datagrams vanish, on one way or both.
func TestFault_MTUHole(t *testing.T) {
	for name, ways := range map[string][][2]netip.Addr{
		"both ways": {{ipA, ipB}, {ipB, ipA}}, "to the handler": {{ipA, ipB}}, "to the caller": {{ipB, ipA}},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				_, _, toB := w.duo()
				for _, way := range ways {
					w.net.SetLink(way[0], way[1], simnet.Faults{MTU: 800, Delay: time.Millisecond})
				}
				w.mustEcho(toB, 3*time.Second, 1000)
				w.mustEcho(toB, 3*time.Second, 100_000)
				if w.net.Stats().TooLarge == 0 {
					w.Error("nothing was too large")
				}
			})
		})
	}
}

// A hole that opens under a session.
func TestFault_MTUHoleLater(t *testing.T) {
	virtual(t, func(w *world) {
		_, _, toB := w.duo()
		w.mustEcho(toB, time.Second, 100_000)
		w.net.SetFaults(simnet.Faults{MTU: 800, Delay: time.Millisecond})
		for range 3 {
			w.mustEcho(toB, 3*time.Second, 100_000)
			w.mustEcho(toB, 3*time.Second, 1000)
		}
		if w.net.Stats().TooLarge == 0 {
			w.Error("nothing was too large")
		}
	})
}

func TestFault_Partition(t *testing.T) {
	for _, discovered := range []bool{false, true} {
		t.Run(fmt.Sprintf("discovered %v", discovered), func(t *testing.T) {
			virtual(t, func(w *world) {
				var a, b *Node
				if discovered {
					a, b = w.found("10.0.0.1", "A", Config{}), w.found("10.0.0.2", "B", Config{})
				} else {
					a, b = w.node("10.0.0.1", "A", Config{}), w.node("10.0.0.2", "B", Config{})
					w.knows(a, b)
					w.knows(b, a)
				}
				handle(w.T, b, "echo", func(v []byte) []byte { return v })
				handle(w.T, a, "echo", func(v []byte) []byte { return v })
				toB, err := a.Peer("B")
				if err != nil {
					w.Fatal(err)
				}
				toA, err := b.Peer("A")
				if err != nil {
					w.Fatal(err)
				}
				w.mustEcho(toB, time.Second, 10)
				w.mustEcho(toA, time.Second, 10)
				w.cut(ipA, ipB, true)
				begin := time.Now()
				if err := echo(toB, 3*time.Second, 10); !errors.Is(err, ErrTimeout) || time.Since(begin) != 3*time.Second {
					w.Errorf("a call: %v after %v", err, time.Since(begin))
				}
				w.when(3*time.Second, "A misses B", func() bool { return !toB.Up() })
				w.when(6*time.Second-time.Since(begin), "B misses A", func() bool { return !toA.Up() })
				time.Sleep(60*time.Second - time.Since(begin))
				if w.net.Stats().Partitioned == 0 || toA.Up() || toB.Up() {
					w.Fatalf("up: %v, %v", toA.Up(), toB.Up())
				}
				w.cut(ipA, ipB, false)
				w.when(2*time.Second, "both are up", func() bool { return toA.Up() && toB.Up() })
				w.mustEcho(toB, time.Second, 10)
				w.mustEcho(toA, time.Second, 10)
				if p, err := a.Peer("B"); p != toB {
					w.Errorf("another peer: %v, %v", p, err)
				}
			})
		})
	}
}

// Who cannot be reached is not there, even if it can be heard.
func TestFault_OneWayPartition(t *testing.T) {
	virtual(t, func(w *world) {
		a, b, toB := w.duo()
		handle(w.T, a, "echo", func(v []byte) []byte { return v })
		toA := w.knows(b, a)
		w.mustEcho(toB, time.Second, 1)
		w.mustEcho(toA, time.Second, 1)
		w.net.Partition(ipA, ipB, true)
		begin := time.Now()
		w.when(8*time.Second, "B misses A", func() bool { return !toA.Up() })
		w.when(8*time.Second-time.Since(begin), "A misses B", func() bool { return !toB.Up() })
		for range 30 {
			time.Sleep(time.Second)
			if toA.Up() || toB.Up() {
				w.Fatalf("half-alive: %v, %v", toA.Up(), toB.Up())
			}
		}
		w.net.Partition(ipA, ipB, false)
		w.when(2*time.Second, "both are up", func() bool { return toA.Up() && toB.Up() })
		w.mustEcho(toB, time.Second, 1)
		w.mustEcho(toA, time.Second, 1)
	})
}

func TestFault_Move(t *testing.T) {
	for _, who := range []string{"caller", "callee", "callee, told"} {
		t.Run(who, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetFaults(simnet.Faults{Delay: 2 * time.Millisecond})
				a, b, toB := w.duo()
				toA := w.knows(b, a)
				handle(w.T, a, "echo", func(v []byte) []byte { return v })
				w.mustEcho(toB, time.Second, 1)
				w.mustEcho(toA, time.Second, 1)
				watcher, from := b, toA
				if who != "caller" {
					watcher, from = a, toB
				}
				var moved atomic.Int32
				go func() {
					for e := range watcher.Events(w.Context()) {
						if e.Kind == PeerMoved && e.Peer == from {
							moved.Add(1)
						}
					}
				}()
				synctest.Wait()
				old := from.Addr()
				if err := w.net.Host(old.Addr()).Move(ip("10.0.0.77")); err != nil {
					w.Fatal(err)
				}
				if who == "callee, told" {
					b.NetworkChanged()
					w.mustEcho(toB, 100*time.Millisecond, 100)
				}
				w.mustEcho(toB, 2500*time.Millisecond, 100) // if it says nothing before its next ping
				w.mustEcho(toA, 2500*time.Millisecond, 100)
				w.when(2*time.Second, "the event", func() bool { return moved.Load() == 1 })
				if from.Addr().Addr() != ip("10.0.0.77") || w.net.Stats().Unreachable == 0 && who == "callee" {
					w.Errorf("%s is at %v; %d unreachable", who, from.Addr(), w.net.Stats().Unreachable)
				}
			})
		})
	}
}

// Old calls end at once when discovery tells, and new ones work soon.
func TestFault_Restart(t *testing.T) {
	virtual(t, func(w *world) {
		a, b := w.found("10.0.0.1", "A", Config{}), w.doomed("10.0.0.2", "B")
		hold := make(chan struct{})
		handle(w.T, b, "hang", func() { <-hold })
		toB, err := a.Peer("B")
		if err != nil {
			w.Fatal(err)
		}
		old := make(chan error, 1)
		go func() { old <- toB.Call(soon(w.T), nil, "hang") }()
		time.Sleep(50 * time.Millisecond)
		_ = b.conn.Close()
		close(hold)
		w.crash(b)
		time.Sleep(50 * time.Millisecond)

		begin := time.Now()
		c := w.found("10.0.0.2", "B", Config{UDPPort: b.UDPPort()})
		handle(w.T, c, "echo", func(v []byte) []byte { return v })
		if err := <-old; !errors.Is(err, ErrGone) || time.Since(begin) > 600*time.Millisecond { // it is asked first
			w.Errorf("the old call: %v after %v", err, time.Since(begin))
		}
		next, err := a.WaitPeer(soon(w.T), "B")
		if err != nil || next == toB || next.ID() != c.ID() {
			w.Fatalf("%v, %v", next, err)
		}
		w.mustEcho(next, time.Second-time.Since(begin), 10)
	})
}
