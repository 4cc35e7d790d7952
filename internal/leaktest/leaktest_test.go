package leaktest

import (
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestWaitSeesALeak(t *testing.T) {
	before := goroutines()
	stop := make(chan struct{})
	go func() { <-stop }()
	found := false
	for id, stack := range goroutines() {
		if _, old := before[id]; !old && strings.Contains(stack, "TestWaitSeesALeak") {
			found = true
		}
	}
	if !found {
		t.Error("a new goroutine is not seen")
	}
	close(stop)
	if left := wait(before); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
}
