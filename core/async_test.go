package peerlink

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

// outcome is what StartCall's done was given.
type outcome struct {
	result Payload
	err    error
}

// begin starts a call and returns where its outcome will be.
func begin(p *Peer, fn string, timeout time.Duration) (<-chan outcome, func()) {
	ch := make(chan outcome, 2) // a second one is a bug that the test will see
	cancel := p.StartCall(fn, Payload{}, timeout, func(result Payload, err error) {
		if err == nil {
			result, err = result.Convert(JSON)
			result.Bytes = bytes.Clone(result.Bytes)
		}
		ch <- outcome{result, err}
	})
	return ch, cancel
}

func TestStartCall(t *testing.T) {
	a, b, toB := pair(t)
	handle(t, b, "f", func() int { return 7 })
	handle(t, b, "slow", func(ctx context.Context) { <-ctx.Done() })
	for _, tt := range []struct {
		name    string
		fn      string
		timeout time.Duration
		cancel  bool
		code    Code
	}{
		{"answered", "f", 0, false, 0},
		{"without time-out", "f", -1, false, 0},
		{"remote error", "nope", 0, false, CodeNoHandler},
		{"times out", "slow", 20 * time.Millisecond, false, CodeTimeout},
		{"canceled", "slow", 0, true, CodeCanceled},
		{"canceled too late", "f", 0, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ch, cancel := begin(toB, tt.fn, tt.timeout)
			if tt.cancel {
				cancel()
			}
			got := <-ch
			cancel()
			if CodeOf(got.err) != tt.code || (got.err == nil && string(got.result.Bytes) != "7") {
				t.Errorf("%s, %v", got.result.Bytes, got.err)
			}
			if len(ch) > 0 {
				t.Error("two outcomes")
			}
		})
	}
	waiting, _ := begin(toB, "slow", -1)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-waiting; !errors.Is(got.err, ErrClosed) {
		t.Errorf("the node closed: %v", got.err)
	}
	if after, _ := begin(toB, "f", 0); !errors.Is((<-after).err, ErrClosed) {
		t.Error("a closed node calls")
	}
}

// Answer, time-out and cancel may come at the same moment: one of them counts.
func TestStartCallEndsOnce(t *testing.T) {
	_, b, toB := pair(t)
	handle(t, b, "f", func() {})
	var wg sync.WaitGroup
	for i := range 500 {
		ch, cancel := begin(toB, "f", time.Duration(1+i)*time.Microsecond)
		wg.Go(cancel)
		<-ch
		if len(ch) > 0 {
			t.Fatal("two outcomes")
		}
	}
	wg.Wait()
}

func TestAsyncHandler(t *testing.T) {
	a, b, toB := pair(t)
	requests := make(chan *Request, 10)
	if err := b.Handle("f", func(r *Request) { requests <- r }); err != nil {
		t.Fatal(err)
	}
	if err := b.HandleAsync("panics", func(*Request) { panic("oops") }); err != nil {
		t.Fatal(err)
	}

	ch, _ := begin(toB, "f", 0)
	r := <-requests
	if r.Func != "f" || r.Caller.Name != a.Name() || len(r.Payload.Bytes) != 0 {
		t.Errorf("%s from %s with %s", r.Func, r.Caller.Name, r.Payload.Bytes)
	}
	r.Reply(Payload{JSON, []byte("1")})
	r.Fail(errors.New("too late"))
	if got := <-ch; got.err != nil || string(got.result.Bytes) != "1" {
		t.Errorf("%s, %v", got.result.Bytes, got.err)
	}

	ch, _ = begin(toB, "f", 0)
	(<-requests).Fail(&RemoteError{"ValueError", "no"})
	if got := <-ch; got.err == nil || got.err.Error() != "peer Phone1: call f: ValueError: no" {
		t.Errorf("%v", got.err)
	}
	ch, _ = begin(toB, "panics", 0)
	if got := <-ch; CodeOf(got.err) != CodeRemote {
		t.Errorf("a panic: %v", got.err)
	}

	ch, _ = begin(toB, "f", 0)
	r = <-requests
	if err := b.Close(); err != nil { // does not wait for what nobody may ever answer
		t.Error(err)
	}
	r.Reply(Payload{JSON, []byte("1")})
	if got := <-ch; !errors.Is(got.err, ErrGone) {
		t.Errorf("cut off: %s, %v", got.result.Bytes, got.err)
	}
	if b.gate.Running() != 0 || len(b.open.open) != 0 {
		t.Errorf("%d running, %d open after close", b.gate.Running(), len(b.open.open))
	}
}

func TestShutdownLetsHandlersFinish(t *testing.T) {
	_, b, toB := pair(t)
	entered, release := make(chan struct{}), make(chan struct{})
	handle(t, b, "slow", func() string { close(entered); <-release; return "done" })
	ch, _ := begin(toB, "slow", 0)
	<-entered
	ended := make(chan error)
	go func() { ended <- b.Shutdown(soon(t)) }()
	close(release)
	if got := <-ch; got.err != nil || string(got.result.Bytes) != `"done"` {
		t.Errorf("%s, %v", got.result.Bytes, got.err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// An answer that is quicker than the timer is armed must not make the peer suspect
// when the time is over.
func TestAnsweredCallsLeaveNoTimer(t *testing.T) {
	_, b, toB := pair(t)
	handle(t, b, "f", func() {})
	for range 2000 {
		ch, _ := begin(toB, "f", time.Millisecond)
		if got := <-ch; got.err != nil {
			toB.suspect.Store(false) // it really timed out
		}
	}
	time.Sleep(20 * time.Millisecond) // longer than any timer that might be left
	if toB.suspect.Load() {
		t.Error("the peer is suspect although it answered")
	}
}

// nothingRuns waits until the gate is empty: an answer is sent before its handler
// leaves.
func nothingRuns(t *testing.T, n *Node) {
	t.Helper()
	select {
	case <-n.gate.Shut():
	case <-soon(t).Done():
		t.Errorf("%d still count as running", n.gate.Running())
	}
}

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

// Whatever a handler does, its caller gets an answer and the node lives.
func TestBadHandlers(t *testing.T) {
	_, b, toB := pair(t)
	for name, fn := range map[string]RawHandler{
		"nil error":        func(context.Context, Payload) (Payload, error) { var e *nilError; return Payload{}, e },
		"nil remote error": func(context.Context, Payload) (Payload, error) { var e *RemoteError; return Payload{}, e },
		"goexit":           func(context.Context, Payload) (Payload, error) { runtime.Goexit(); return Payload{}, nil },
		"no codec":         func(context.Context, Payload) (Payload, error) { return Payload{0, []byte("1")}, nil },
	} {
		if err := b.HandleRaw(name, fn); err != nil {
			t.Fatal(err)
		}
		if err := toB.Call(t.Context(), nil, name); CodeOf(err) != CodeRemote {
			t.Errorf("%s: %v", name, err)
		}
	}
	nothingRuns(t, b)
}

func TestLoneSurrogatesAreEscapedOnTheWire(t *testing.T) {
	_, b, toB := pair(t)
	if err := b.HandleRaw("echo", func(_ context.Context, req Payload) (Payload, error) {
		return Payload{JSON, []byte("\"\xed\xa0\x80\"")}, nil
	}); err != nil {
		t.Fatal(err)
	}
	got, err := toB.CallRaw(t.Context(), "echo", Payload{JSON, []byte("[\"\xed\xa0\x80\"]")})
	if err != nil || string(got.Bytes) != `"\ud800"` {
		t.Errorf("%q, %v", got.Bytes, err)
	}
}

func TestHandlerCannotMisdirectTheAnswer(t *testing.T) {
	_, b, toB := pair(t)
	if err := b.HandleAsync("f", func(r *Request) {
		r.Caller = Caller{}
		r.Reply(Payload{})
	}); err != nil {
		t.Fatal(err)
	}
	if err := toB.Call(t.Context(), nil, "f"); err != nil {
		t.Error(err)
	}
	nothingRuns(t, b)
}
