// Package leaktest fails a test run that leaves goroutines behind.
package leaktest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Patience is how long goroutines that are on their way out get to end.
const Patience = 5 * time.Second

// Main is the body of a TestMain: it runs the tests and ends the process.
//
//	func TestMain(m *testing.M) { leaktest.Main(m) }
func Main(m interface{ Run() int }) {
	before := goroutines()
	code := m.Run()
	if left := wait(before); len(left) > 0 && code == 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines left behind:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		code = 1
	}
	os.Exit(code)
}

// wait returns the goroutines that are there now, were not before, and do not
// go away.
func wait(before map[string]string) []string {
	pause := time.Millisecond
	for deadline := time.Now().Add(Patience); ; pause *= 2 {
		var left []string
		for id, stack := range goroutines() {
			if _, old := before[id]; !old && !ours(stack) {
				left = append(left, stack)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

// ours tells whether the goroutine belongs to the machinery of testing or the
// runtime: those are started late and never end.
func ours(stack string) bool {
	for _, part := range []string{"internal/fuzz.", "os/signal.", "runtime/pprof.", "runtime/trace.", "testing.(*M)"} {
		if strings.Contains(stack, part) {
			return true
		}
	}
	return false
}

// goroutines returns the stacks of all goroutines but this one, by their number.
func goroutines() map[string]string {
	buf := make([]byte, 64<<10)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	out := map[string]string{}
	for _, g := range strings.Split(string(buf), "\n\n")[1:] {
		id, _, _ := strings.Cut(strings.TrimPrefix(g, "goroutine "), " ")
		out[id] = strings.TrimSpace(g)
	}
	return out
}
