package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// onLoopback keeps the nodes of a test on this machine, and apart from others.
func onLoopback(t *testing.T) {
	t.Helper()
	list, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Flags&net.FlagLoopback != 0 {
			t.Setenv("PEERLINK_INTERFACES", i.Name)
		}
	}
}

// command runs the program and returns what it printed.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, err bytes.Buffer
	code = run(ctx, args, output{stdout: &out, stderr: &err})
	return code, strings.TrimSpace(out.String()), strings.TrimSpace(err.String())
}

// serveDemo runs "peerlink serve" for the time of the test.
func serveDemo(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan int)
	go func() {
		done <- run(ctx, []string{"serve", "--name", name, "--json"}, output{stdout: closeOnWrite(ready), stderr: t.Output()})
	}()
	<-ready
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve ended with %d", code)
		}
	})
}

// closeOnWrite closes a channel at the first write: serve says that it is ready.
type closeOnWrite chan struct{}

func (c closeOnWrite) Write(b []byte) (int, error) {
	select {
	case <-c:
	default:
		close(c)
	}
	return len(b), nil
}

func TestCommands(t *testing.T) {
	onLoopback(t)
	name := fmt.Sprintf("cli %d", time.Now().UnixNano()) // a blank, as names may have
	serveDemo(t, name)
	for _, tt := range []struct {
		args   string // the name is put in for NAME
		code   int
		stdout string // contained in it
		stderr string
	}{
		{"call NAME add 25 17", 0, "42", ""},
		{"call NAME add [25,17]", 0, "42", ""},
		{"call NAME add 0.5 1", 0, "1.5", ""},
		{"call NAME echo [[1,2]]", 0, "[1, 2]", ""},
		{"call NAME echo NaN", 0, "NaN", ""},
		{"call NAME echo null", 0, "null", ""},
		{"call NAME echo [1e400]", 0, "Infinity", ""},
		{"call NAME echo [", 2, "", "is no JSON"},
		{"call NAME add 1,2", 2, "", "is no JSON"},
		{"call NAME echo 1]{\"a\":2}[", 2, "", "is no JSON"},
		{"call NAME add -- -1 2", 0, "1", ""},
		{"call NAME echo hello", 2, "", `a string is written '"hello"'`},
		{"call NAME echo 1 --kwargs x", 2, "", "--kwargs is no JSON object"},
		{"call NAME echo 1 --json", 0, `"result": 1}`, ""},
		{"call NAME whoami --name Asker", 0, `"Asker at 127.0.0.1:`, ""},
		{"call NAME nope", 1, "", "No function 'nope' registered"},
		{"call NAME nope --json", 1, `"code":6,"kind":"remote error"`, ""},
		{"call NAME add 1", 1, "", "TypeError: add() takes 2 arguments, 1 given"},
		{"call nobody add --timeout 50ms", 1, "", "peer nobody: wait: not found in time"},
		{"call nobody", 2, "", "requires at least 2 arg(s)"},
		{"ping NAME", 0, "answered in", ""},
		{"ping NAME --json", 0, `"rtt_ms":`, ""},
		{"ping nobody --timeout 50ms --json", 1, `"code":3,"kind":"peer not found"`, ""},
		{"ping", 2, "", "accepts 1 arg(s)"},
		{"bogus", 2, "", "unknown command"},
		{"ping NAME --bogus", 2, "", "unknown flag"},
		{"--version", 0, peerlink.Version, ""},
		{"help", 0, "Available Commands", ""},
	} {
		t.Run(tt.args, func(t *testing.T) {
			args := strings.Fields(tt.args)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "NAME", name)
			}
			code, stdout, stderr := command(t, args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", code, stdout, stderr)
			}
		})
	}
}

func TestDiscover(t *testing.T) {
	onLoopback(t)
	name := fmt.Sprintf("cli %d", time.Now().UnixNano())
	serveDemo(t, name)
	if code, stdout, stderr := command(t, "discover", "--wait", "1s"); code != 0 || !strings.Contains(stdout, name+"  127.0.0.1:") {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
	code, stdout, stderr := command(t, "discover", "--wait", "1s", "--json")
	var found []peerJSON
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != 0 || !slices.ContainsFunc(found, func(p peerJSON) bool { return p.Name == name }) {
		t.Errorf("%d %s %s: %v", code, stdout, stderr, err)
	}
}

// A secret that is set and not heeded would be a node in the open that its owner
// takes for private.
func TestSecretIsRefused(t *testing.T) {
	onLoopback(t)
	t.Setenv("PEERLINK_SECRET", "hunter2")
	code, _, stderr := command(t, "discover", "--wait", "1ms")
	if code != 1 || !strings.Contains(stderr, "no private realms yet") || strings.Contains(stderr, "hunter2") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestNamesCannotSteerTheTerminal(t *testing.T) {
	if got := printable("a\x1b[2Jb\u202ec\n"); got != "a\ufffd[2Jb\ufffdc\n" {
		t.Errorf("%q", got)
	}
}

func TestTable(t *testing.T) {
	if got := table(nil); got != "No nodes found." {
		t.Errorf("%q", got)
	}
	got := table([]peerJSON{{Name: "A", Address: "10.0.0.1:5", Version: "1.1.1"}, {Name: "Phone 1", Address: "10.0.0.2:5", Version: "2"}})
	want := "NAME     ADDRESS     VERSION\nA        10.0.0.1:5  1.1.1\nPhone 1  10.0.0.2:5  2"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
