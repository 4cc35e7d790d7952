//go:build !race

// grandcat/zeroconf v1.0.0 calls WaitGroup.Add in the goroutine that it counts
// (server.go, mainloop), which the race detector finds now and then at Shutdown.
// There is no way round it from outside, so this package is tested without.

package zeroconf

import (
	"testing"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/disco/discotest"
	"github.com/peerlink/peerlink/core/internal/disco/mdns/dnsname"
	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestConformance(t *testing.T) {
	discotest.Run(t, New, discotest.Options{
		Found:   3 * roundEvery,
		Changed: 3 * roundEvery,
		Lost:    (missedRounds + 2) * roundEvery,
		Why:     disco.Expired,
	})
}

// The library trims dots; names survive it all the same.
func TestEscape(t *testing.T) {
	for _, name := range []string{"a", ".a.", "...", `\`, `a\.`, `\.`, "x\\\\.", "Ä b"} {
		wire := dnsname.Escape(dnsname.Unescape(escape(name))) // what a browser unpacks
		for len(wire) > 0 && wire[len(wire)-1] == '.' {
			wire = wire[:len(wire)-1]
		}
		if got := unescape(wire); got != name && got != name[:len(name)-1]+"." {
			t.Errorf("%q came back as %q", name, got)
		}
		if e := escape(name); e[0] == '.' || e[len(e)-1] == '.' {
			t.Errorf("escape(%q) = %q has a dot to trim", name, e)
		}
	}
}

func TestCloseWaits(t *testing.T) {
	b := New()
	env := disco.Env{Interfaces: discotest.Loopback(t)}
	if err := b.Start(env, discotest.Self(discotest.Type(), "x", 1), discotest.NewRecorder()); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if b.Close() != nil || time.Since(start) > announcing+time.Second {
		t.Errorf("Close took %v", time.Since(start))
	}
}
