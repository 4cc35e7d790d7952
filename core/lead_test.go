package peerlink

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// leadingCall is what a binding does: start, lead, and wait otherwise if that was not
// enough.
func leadingCall(n *Node, p *Peer, fn string, req Payload) (out Payload, err error) {
	var ended atomic.Bool
	done := make(chan struct{})
	p.StartCall(fn, req, 0, func(result Payload, e error) {
		out, err = result, e
		ended.Store(true)
		close(done)
	})
	n.Lead(time.Now().Add(50*time.Millisecond), ended.Load)
	<-done
	return out, err
}

func TestLeadingCalls(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b := alone(t, "B")
	handle(t, b, "add", func(x, y int) int { return x + y })
	a := start(t, Config{Name: "A", Discovery: []Discovery{}})
	handle(t, a, "back", func() int { return 1 })
	toB := introduce(t, a, b)
	toA := introduce(t, b, a)
	for i := range 300 {
		got, err := leadingCall(a, toB, "add", Payload{JSON, []byte("[25, 17]")})
		if err != nil || len(got.Bytes) == 0 {
			t.Fatalf("call %d: %v, %v", i, got, err)
		}
		if i%100 == 50 { // while nobody leads, or just did
			if _, err := Call[int](soon(t), toA, "back"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func BenchmarkLeadingCall(b *testing.B) {
	server, err := Start(b.Context(), Config{Name: "server", Discovery: []Discovery{}})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	if err := server.Handle("echo", func(s string) string { return s }); err != nil {
		b.Fatal(err)
	}
	client, err := Start(b.Context(), Config{Name: "client", Discovery: []Discovery{}})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	p, err := client.AddPeer("server", addr(server), 0)
	if err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	req := Payload{JSON, []byte(`["` + strings.Repeat("x", 64) + `"]`)}
	for b.Loop() {
		if _, err := leadingCall(client, p, "echo", req); err != nil {
			b.Fatal(err)
		}
	}
}
