package peerlink

import (
	"context"
	"net/netip"
	"strings"
	"testing"
)

// benchPair is a pair whose server has an echo.
func benchPair(b *testing.B) *Peer {
	b.Helper()
	var nodes [2]*Node
	for i, name := range []string{"client", "server"} {
		n, err := Start(b.Context(), Config{Name: name, Discovery: []Discovery{}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { n.Close() })
		nodes[i] = n
	}
	if err := nodes[1].Handle("echo", func(s string) string { return s }); err != nil {
		b.Fatal(err)
	}
	if err := nodes[1].HandleRaw("raw", func(_ context.Context, req Payload) (Payload, error) { return req, nil }); err != nil {
		b.Fatal(err)
	}
	p, err := nodes[0].AddPeer("server", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), nodes[1].UDPPort()), 0)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// A 64-byte string there and back, over the loopback interface. The comparison with
// other programs is in test/bench.
func BenchmarkCall(b *testing.B) {
	text := strings.Repeat("x", 64)
	b.Run("typed", func(b *testing.B) {
		p := benchPair(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Call[string](b.Context(), p, "echo", text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("raw", func(b *testing.B) {
		p := benchPair(b)
		req := Payload{Codec: JSON, Bytes: []byte(`["` + text + `"]`)}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.CallRaw(b.Context(), "raw", req); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("16 callers", func(b *testing.B) {
		p := benchPair(b)
		b.SetParallelism(8) // times 2 processors
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := Call[string](b.Context(), p, "echo", text); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
