package peerlink

import (
	"io"
	"testing"

	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) {
	crashLog = io.Discard // some tests panic on purpose
	leaktest.Main(m)
}
