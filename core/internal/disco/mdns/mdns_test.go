package mdns

import (
	"testing"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/disco/discotest"
	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestConformance(t *testing.T) {
	discotest.Run(t, New, discotest.Options{
		Found:      2 * time.Second,
		Changed:    time.Second,
		Lost:       500 * time.Millisecond,
		Why:        disco.Removed,
		Reconfirms: true,
	})
}
