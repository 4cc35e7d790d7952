package window

import (
	"testing"
	"time"

	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const ms = time.Millisecond

var start = time.Unix(1000, 0)

// at returns the moment d after the start of a test.
func at(d time.Duration) time.Time { return start.Add(d) }

// nothing is for frames that a test does not look at.
func nothing(int) {}
