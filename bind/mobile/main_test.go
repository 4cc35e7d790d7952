package peerlink

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run if a goroutine of the library outlives the tests.
func TestMain(m *testing.M) {
	crashLog = io.Discard // some tests panic on purpose
	code := m.Run()
	deadline := time.Now().Add(5 * time.Second)
	for code == 0 && leaked() != "" {
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, "goroutines left over:\n"+leaked())
			code = 1
		}
		time.Sleep(10 * time.Millisecond)
	}
	os.Exit(code)
}

// leaked returns the stacks of all goroutines in code of this module but its own.
func leaked() string {
	buf := make([]byte, 1<<20)
	stacks := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	var list []string
	for _, s := range stacks[1:] {
		if strings.Contains(s, "/peerlink/") {
			list = append(list, s)
		}
	}
	return strings.Join(list, "\n\n")
}
