package peerlink

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peerlink/peerlink/core/internal/simnet"
	"github.com/peerlink/peerlink/core/internal/wire"
)

// Nobody tells that B was restarted: its silence does.
func TestFault_RestartUnannounced(t *testing.T) {
	for _, word := range []string{"with a word", "without a word"} {
		t.Run(word, func(t *testing.T) {
			virtual(t, func(w *world) {
				a, b := w.node("10.0.0.1", "A", Config{}), w.doomed("10.0.0.2", "B")
				handle(w.T, b, "hang", func(ctx context.Context) { <-ctx.Done() })
				toB := w.knows(a, b)
				old := make(chan error, 1)
				go func() { old <- toB.Call(soon(w.T), nil, "hang") }()
				time.Sleep(50 * time.Millisecond)
				port := b.UDPPort()
				if word == "with a word" {
					if err := b.Close(); err != nil {
						w.Fatal(err)
					}
				} else {
					w.crash(b)
				}
				c := w.node("10.0.0.2", "B", Config{UDPPort: port})
				handle(w.T, c, "echo", func(v []byte) []byte { return v })
				begin := time.Now()
				w.mustEcho2(toB, time.Second, 10)
				err := <-old // of a node that closes, its handler's answer
				if wrong := err != nil || word != "with a word"; wrong && !errors.Is(err, ErrGone) || time.Since(begin) > time.Second {
					w.Errorf("the old call: %v after %v", err, time.Since(begin))
				}
			})
		})
	}
}

// mustEcho2 is what an application does that knows its call may be repeated: the first
// may have gone to the node that is not there any more.
func (w *world) mustEcho2(p *Peer, timeout time.Duration, size int) {
	w.Helper()
	begin := time.Now()
	err := echo(p, timeout, size)
	if errors.Is(err, ErrGone) {
		err = echo(p, timeout-time.Since(begin), size)
	}
	if err != nil {
		w.Fatalf("%d bytes to %s: %v after %v", size, p.Name(), err, time.Since(begin))
	}
}

func TestFault_BothDialAtOnce(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond, 700 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetFaults(simnet.Faults{Delay: delay, Jitter: delay / 10})
				a, b := w.found("10.0.0.1", "A", Config{}), w.found("10.0.0.2", "B", Config{})
				runs := [2]atomic.Int32{}
				for i, n := range []*Node{a, b} {
					handle(w.T, n, "echo", func(v []byte) []byte { runs[i].Add(1); return v })
				}
				toA, toB := mustPeer(w, b, "A"), mustPeer(w, a, "B")
				var wg sync.WaitGroup
				const calls = 200
				for _, p := range []*Peer{toA, toB} {
					wg.Go(func() {
						for range calls {
							if err := echo(p, 10*time.Second, 10); err != nil {
								w.Errorf("%v after %v", err, time.Since(epoch))
								return
							}
						}
					})
				}
				wg.Wait()
				if k := runs[0].Load() + runs[1].Load(); k != 2*calls {
					w.Errorf("%d of %d calls were executed", k, 2*calls)
				}
				time.Sleep(30 * time.Second)
				most := 1
				if delay > 500*time.Millisecond {
					most = 2 // each end may use its own
				}
				if x, y := len(a.sessions.list()), len(b.sessions.list()); x > most || y > most {
					w.Errorf("%d and %d sessions at last", x, y)
				}
			})
		})
	}
}

func mustPeer(w *world, n *Node, name string) *Peer {
	w.Helper()
	p, err := n.WaitPeer(soon(w.T), name)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// Keys change under traffic, in both directions, with losses.
func TestFault_RekeyUnderTraffic(t *testing.T) {
	for name, after := range map[string]time.Duration{"at rest": 2 * time.Hour, "busy": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				a, b, toB := w.duo()
				w.mustEcho(toB, time.Second, 1)
				every := 10 * time.Second
				if name == "busy" {
					every = 50 * time.Millisecond
					for _, n := range []*Node{a, b} {
						for _, s := range n.sessions.list() {
							s.mu.Lock()
							s.link.UpdateKeysAfter(100)
							s.mu.Unlock()
						}
					}
				}
				if name == "busy" { // else it is enough to lose a session
					w.net.SetFaults(simnet.Faults{Loss: 0.1, Delay: 10 * time.Millisecond, Reorder: 0.1, Duplicate: 0.1})
				}
				before := toB.session.Load()
				var phases [2]atomic.Int32
				w.net.Tap(func(_, _ netip.AddrPort, p []byte) {
					if h, err := wire.ParseHeader(p); err == nil && wire.PacketType(p[0]) == wire.PacketData {
						phases[h.Phase].Add(1)
					}
				})
				for end := time.Now().Add(after); time.Now().Before(end); time.Sleep(every) {
					w.mustEcho(toB, 5*time.Second, 3000)
				}
				if toB.session.Load() != before {
					w.Error("another session is in use")
				}
				if phases[0].Load() < 100 || phases[1].Load() < 100 {
					w.Errorf("packets of phases: %d, %d", phases[0].Load(), phases[1].Load())
				}
			})
		})
	}
}

// A session that was lost is resumed, or made anew if the other end forgot how.
func TestFault_Resumption(t *testing.T) {
	for _, tt := range []struct {
		name                string
		here, there, forget bool
	}{
		{name: "lost here", here: true},
		{name: "lost at both ends", here: true, there: true},
		{name: "lost there", there: true},
		{name: "lost and forgotten", here: true, there: true, forget: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetFaults(simnet.Faults{Delay: 2 * time.Millisecond})
				a, b, toB := w.duo()
				w.mustEcho(toB, time.Second, 1)
				time.Sleep(5 * time.Second)
				seen := map[wire.PacketType]int{}
				var mu sync.Mutex
				w.net.Tap(func(_, _ netip.AddrPort, p []byte) { mu.Lock(); seen[wire.PacketType(p[0])]++; mu.Unlock() })
				if tt.here {
					for _, s := range a.sessions.list() {
						a.dropSession(s, CodeGone, false)
					}
				}
				if tt.there {
					for _, s := range b.sessions.list() {
						b.dropSession(s, CodeGone, false)
					}
				}
				if tt.forget {
					b.shakes.mu.Lock()
					clear(b.shakes.tickets)
					b.shakes.mu.Unlock()
				}
				if !tt.here { // at most once: who knows what became of it
					if err := echo(toB, time.Second, 10); !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrGone) {
						w.Errorf("a call in a session that is not there: %v", err)
					}
				}
				w.mustEcho(toB, time.Second, 10)
				mu.Lock()
				defer mu.Unlock()
				if seen[wire.PacketResume] == 0 || tt.forget != (seen[wire.PacketInit] > 0) {
					w.Errorf("packets: %v", seen)
				}
			})
		})
	}
}

// forgetful nodes lose the secret of a resumption, not the peer.
func TestFault_ResumptionForgottenHere(t *testing.T) {
	virtual(t, func(w *world) {
		a, _, toB := w.duo()
		w.mustEcho(toB, time.Second, 1)
		for _, s := range a.sessions.list() {
			a.dropSession(s, CodeGone, true)
		}
		a.shakes.mu.Lock()
		for _, r := range a.shakes.tickets {
			r.secret.Zero()
		}
		a.shakes.mu.Unlock()
		w.mustEcho(toB, time.Second, 1)
	})
}

// Each packet of a handshake is lost once, twice, and so on.
func TestFault_HandshakeLost(t *testing.T) {
	for _, typ := range []wire.PacketType{wire.PacketInit, wire.PacketResp, wire.PacketFin, wire.PacketResume, wire.PacketResumed, wire.PacketData} {
		for _, times := range []int32{1, 2, 3} {
			t.Run(fmt.Sprintf("%v %d", typ, times), func(t *testing.T) {
				virtual(t, func(w *world) {
					a, _, toB := w.duo()
					if typ == wire.PacketResume || typ == wire.PacketResumed {
						w.mustEcho(toB, time.Second, 1)
						for _, s := range a.sessions.list() {
							a.dropSession(s, CodeGone, true)
						}
					}
					var lost atomic.Int32
					w.net.Tap(func(from, to netip.AddrPort, p []byte) { // before any fault
						hit := wire.PacketType(p[0]) == typ && lost.Load() < times
						if hit {
							lost.Add(1)
						}
						w.net.Partition(from.Addr(), to.Addr(), hit)
					})
					begin := time.Now()
					w.mustEcho(toB, 2*time.Second, 10)
					if lost.Load() != times || w.net.Stats().Partitioned < uint64(times) {
						w.Errorf("%d were lost", lost.Load())
					}
					if took := time.Since(begin); took > 1500*time.Millisecond {
						w.Errorf("it took %v", took)
					}
				})
			})
		}
	}
}

func TestFault_IdleSessionsEnd(t *testing.T) {
	virtual(t, func(w *world) {
		_, b, toB := w.duo()
		w.mustEcho(toB, time.Second, 1)
		w.cut(ipA, ipB, true)
		time.Sleep(idleSession - 10*time.Second)
		if len(b.sessions.list()) == 0 {
			w.Error("gone too early")
		}
		time.Sleep(20 * time.Second)
		if k := len(b.sessions.list()); k > 0 {
			w.Errorf("%d sessions with nobody", k)
		}
	})
}

func TestCallsAreCanceledThere(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetFaults(simnet.Faults{Delay: 10 * time.Millisecond})
		_, b, toB := w.duo()
		type end struct {
			err      error
			took     time.Duration
			deadline time.Duration
		}
		ends := make(chan end, 1)
		handle(w.T, b, "hang", func(ctx context.Context) error {
			begin := time.Now()
			at, _ := ctx.Deadline()
			<-ctx.Done()
			ends <- end{ctx.Err(), time.Since(begin), at.Sub(begin)}
			return ctx.Err()
		})
		w.mustEcho(toB, 5*time.Second, 1)

		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
		time.AfterFunc(2*time.Second, cancel)
		if err := toB.Call(ctx, nil, "hang"); !errors.Is(err, ErrCanceled) {
			w.Error(err)
		}
		if e := <-ends; e.err != context.Canceled || e.took > 3*time.Second {
			w.Errorf("canceled: %+v", e)
		}

		ctx, cancel = context.WithTimeout(w.Context(), 3*time.Second)
		defer cancel()
		err := toB.Call(ctx, nil, "hang")
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "still running") {
			w.Errorf("slow: %v", err)
		}
		if e := <-ends; e.err == nil || e.took > 3*time.Second+50*time.Millisecond || e.deadline > 3*time.Second || e.deadline < 2*time.Second {
			w.Errorf("deadline: %+v", e)
		}

		w.cut(ipA, ipB, true)
		ctx, cancel = context.WithTimeout(w.Context(), 3*time.Second)
		defer cancel()
		if err := toB.Call(ctx, nil, "hang"); !errors.Is(err, ErrTimeout) || strings.Contains(err.Error(), "still running") {
			w.Errorf("lost: %v", err)
		}
	})
}

func TestLargeMessages(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetFaults(simnet.Faults{Delay: time.Millisecond, Rate: 100 << 20})
		a := w.node("10.0.0.1", "A", Config{})
		b := w.node("10.0.0.2", "B", Config{Limits: Limits{Message: 16 << 20}})
		handle(w.T, b, "echo", func(v []byte) []byte { return v })
		handle(w.T, b, "big", func(n int) []byte { return make([]byte, n) })
		toB := w.knows(a, b)
		const most = 16<<20 - 16 // what encodes the array and its length
		w.mustEcho(toB, 20*time.Second, most)
		if err := echo(toB, 20*time.Second, 16<<20); !errors.Is(err, ErrTooLarge) {
			w.Errorf("arguments: %v", err)
		}
		if err := toB.Call(soon(w.T), nil, "big", 16<<20); !errors.Is(err, ErrTooLarge) {
			w.Errorf("result: %v", err)
		}
		var wg sync.WaitGroup
		for range 24 {
			wg.Go(func() {
				if err := echo(toB, 30*time.Second, 1<<20); err != nil {
					w.Error(err)
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		for _, n := range []*Node{a, b} {
			for _, s := range n.sessions.list() {
				if st := s.stats(); st.IncompleteBytes != 0 || st.OwedReplies > 0 {
					w.Errorf("%s keeps %d bytes and owes %d", n.Name(), st.IncompleteBytes, st.OwedReplies)
				}
			}
		}
	})
}

// A message that stops in the middle is given up, and so is a call that has no room.
func TestLargeMessagesBeyondTheBudget(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetFaults(simnet.Faults{Delay: time.Millisecond, Rate: 10 << 20})
		a := w.node("10.0.0.1", "A", Config{})
		b := w.node("10.0.0.2", "B", Config{Limits: Limits{BytesPerPeer: 4 << 20}})
		handle(w.T, b, "echo", func(v []byte) []byte { return v })
		toB := w.knows(a, b)
		var wg sync.WaitGroup
		var fine, refused atomic.Int32
		for range 16 {
			wg.Go(func() {
				switch err := echo(toB, 30*time.Second, 1<<20); {
				case err == nil:
					fine.Add(1)
				case errors.Is(err, ErrOverloaded):
					refused.Add(1)
				default:
					w.Error(err)
				}
			})
		}
		wg.Wait()
		if fine.Load() == 0 || refused.Load() == 0 {
			w.Errorf("%d were fine, %d refused", fine.Load(), refused.Load())
		}
		w.mustEcho(toB, 10*time.Second, 1<<20)
	})
}

func TestManyPeers(t *testing.T) {
	virtual(t, func(w *world) {
		const peers = 200
		w.net.SetFaults(simnet.Faults{Delay: 2 * time.Millisecond, Loss: 0.02})
		hub := w.node("10.1.0.1", "hub", Config{})
		handle(w.T, hub, "echo", func(v []byte) []byte { return v })
		slow := make(chan struct{})
		var nodes []*Node
		for i := range peers {
			n := w.node(fmt.Sprintf("10.1.1.%d", i+1), fmt.Sprintf("N%03d", i), Config{})
			handle(w.T, n, "id", func(ctx context.Context) int {
				if i == 7 {
					select {
					case <-slow:
					case <-ctx.Done():
					}
				}
				return i
			})
			w.knows(hub, n)
			nodes = append(nodes, n)
		}
		var wg sync.WaitGroup
		for _, n := range nodes {
			toHub := w.knows(n, hub)
			wg.Go(func() {
				for range 5 {
					if err := echo(toHub, 5*time.Second, 100); err != nil {
						w.Errorf("%s: %v", n.Name(), err)
					}
				}
			})
		}
		wg.Wait()
		begin, answers := time.Now(), 0
		for p, r := range CallAll[int](soon(w.T), hub, "id") {
			if r.Err != nil {
				w.Errorf("%s: %v", p.Name(), r.Err)
			}
			if answers++; answers == peers-1 {
				if took := time.Since(begin); took > 2*time.Second || p.Name() == "N007" {
					w.Errorf("all but the slow one took %v", took)
				}
				close(slow)
			}
		}
		if answers != peers {
			w.Errorf("%d answers", answers)
		}
		if k := len(hub.sessions.list()); k < peers || k > 2*peers {
			w.Errorf("%d sessions", k)
		}
	})
}

// Thousands of calls at once are refused or answered, not forgotten.
func TestManyCallsAtOnce(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetFaults(simnet.Faults{Delay: 20 * time.Millisecond, Loss: 0.05})
		_, b, toB := w.duo()
		var runs atomic.Int32
		handle(w.T, b, "slowly", func() { runs.Add(1); time.Sleep(10 * time.Millisecond) })
		w.mustEcho(toB, time.Second, 1)
		const calls = 10_000
		var fine, refused atomic.Int32
		done := make(chan struct{}, calls)
		for range calls {
			toB.StartCall("slowly", Payload{}, 20*time.Second, func(_ Payload, err error) {
				switch {
				case err == nil:
					fine.Add(1)
				case errors.Is(err, ErrOverloaded):
					refused.Add(1)
				default:
					w.Error(err)
				}
				done <- struct{}{}
			})
		}
		begin := time.Now()
		for range calls {
			<-done
		}
		w.Logf("%d fine, %d refused in %v", fine.Load(), refused.Load(), time.Since(begin))
		if fine.Load() != runs.Load() || fine.Load() < 256 {
			w.Errorf("%d were answered, %d executed, %d refused", fine.Load(), runs.Load(), refused.Load())
		}
	})
}

// scale is how many of so many calls this run makes.
func scale(full int) int {
	if raceEnabled && os.Getenv("PEERLINK_LONG") == "" {
		return full / 20
	}
	return full
}

// Each call is executed at most once, and nearly all succeed. Under the race detector
// it takes PEERLINK_LONG=1 to make all the calls.
func TestFault_CallsAtScale(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  simnet.Faults
		calls  int
		failed float64 // at most
	}{
		{"10 % loss, 20 % twice", simnet.Faults{Loss: 0.1, Duplicate: 0.2, Delay: time.Millisecond}, 1_000_000, 0.0001},
		{"30 % loss", simnet.Faults{Loss: 0.3, Delay: time.Millisecond}, 100_000, 0.001},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(w *world) {
				_, b, toB := w.duo()
				calls := scale(tt.calls)
				runs := make([]atomic.Uint32, calls)
				handle(w.T, b, "count", func(i int) int { runs[i].Add(1); return i })
				w.net.SetFaults(tt.fault)
				var failed, unknown atomic.Int32
				const callers = 50
				var wg sync.WaitGroup
				for c := range callers {
					wg.Go(func() {
						for i := c; i < calls; i += callers {
							ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
							if got, err := Call[int](ctx, toB, "count", i); err != nil {
								if failed.Add(1) < 5 {
									w.Log(err)
								}
							} else if got != i || runs[i].Load() == 0 {
								unknown.Add(1)
							}
							cancel()
						}
					})
				}
				wg.Wait()
				twice := 0
				for i := range runs {
					if runs[i].Load() > 1 {
						twice++
					}
				}
				s := w.net.Stats()
				w.Logf("%d calls, %d failed, %d twice; %d datagrams, %d lost, %d duplicated", calls, failed.Load(), twice, s.Sent, s.Lost, s.Duplicated)
				if twice > 0 || unknown.Load() > 0 || float64(failed.Load()) > tt.failed*float64(calls) {
					w.Errorf("%d were executed twice, %d wrong, %d failed", twice, unknown.Load(), failed.Load())
				}
				if float64(s.Lost) < tt.fault.Loss*float64(s.Sent)*0.9 || float64(s.Duplicated) < tt.fault.Duplicate*float64(s.Sent)*0.8 {
					w.Error("the faults did not happen")
				}
			})
		})
	}
}
