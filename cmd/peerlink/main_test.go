package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
	"github.com/peerlink/peerlink/internal/leaktest"
)

// runEnv makes a test binary the program.
const runEnv = "PEERLINK_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(runEnv) != "" {
		main()
	}
	leaktest.Main(m)
}

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

// readyEvent is the first line of serve.
type readyEvent struct {
	Event       string `json:"event"`
	Name        string `json:"name"`
	UDPPort     uint16 `json:"udp_port"`
	Fingerprint string `json:"fingerprint"`
}

// serveDemo runs "peerlink serve" for the time of the test, or until stop.
func serveDemo(t *testing.T, name string, args ...string) (ready readyEvent, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	first, done := make(firstWrite, 1), make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"serve", "--name", name, "--json"}, args...), output{stdout: first, stderr: t.Output()})
	}()
	select {
	case line := <-first:
		if err := json.Unmarshal(line, &ready); err != nil || ready.Event != "ready" {
			t.Errorf("serve says %s: %v", line, err)
		}
	case code := <-done:
		cancel()
		t.Fatalf("serve ended with %d", code)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve ended with %d", code)
		}
	})
	t.Cleanup(stop)
	return ready, stop
}

// firstWrite passes on the first write: serve says that it is ready.
type firstWrite chan []byte

func (c firstWrite) Write(b []byte) (int, error) {
	select {
	case c <- bytes.Clone(b):
	default:
	}
	return len(b), nil
}

// uniqueName is a name that no other run of the tests has. It has a blank, as names
// may.
func uniqueName() string { return fmt.Sprintf("cli %d", time.Now().UnixNano()) }

func TestCommands(t *testing.T) {
	onLoopback(t)
	name := uniqueName()
	serveDemo(t, name, "--no-state")
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
		{"call NAME nope --json", 1, `"code":11,"kind":"no handler"`, ""},
		{"call NAME add 1", 1, "", "TypeError: add() takes 2 arguments, 1 given"},
		{"call nobody add --timeout 50ms", 1, "", "peer nobody: wait: not found in time"},
		{"call nobody", 2, "", "requires at least 2 arg(s)"},
		{"ping NAME", 0, "answered in", ""},
		{"ping NAME", 0, "(security encrypted, fingerprint ", ""},
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
	name := uniqueName()
	ready, _ := serveDemo(t, name, "--no-state")
	code, stdout, stderr := command(t, "discover", "--wait", "1s")
	if i := strings.Index(stdout, name+"  127.0.0.1:"); code != 0 || i < 0 || !strings.Contains(stdout[i:], "encrypted  "+ready.Fingerprint[:16]) {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
	p, ok := discovered(t, name)
	want := peerJSON{
		Name: name, ID: p.ID, Address: fmt.Sprintf("127.0.0.1:%d", ready.UDPPort), Version: peerlink.Version,
		Encrypted: true, Fingerprint: ready.Fingerprint, RTT: p.RTT, Loss: p.Loss,
	}
	if !ok || p != want || p.RTT <= 0 || p.Loss == nil {
		t.Errorf("found %+v, want %+v", p, want)
	}
}

// discovered returns what "discover --json" says of a node.
func discovered(t *testing.T, name string, args ...string) (peerJSON, bool) {
	t.Helper()
	code, stdout, stderr := command(t, append([]string{"discover", "--wait", "1s", "--json"}, args...)...)
	var found []peerJSON
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != 0 {
		t.Fatalf("%d %s %s: %v", code, stdout, stderr, err)
	}
	i := slices.IndexFunc(found, func(p peerJSON) bool { return p.Name == name })
	if i < 0 {
		return peerJSON{}, false
	}
	return found[i], true
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
	loss := 0.0123
	key := strings.Repeat("0123456789abcdef", 4)
	got := table([]peerJSON{
		{Name: "A", Address: "10.0.0.1:5", Version: "1.1.1", Legacy: true},
		{Name: "Phone 1", Address: "10.0.0.2:5", Version: "2", Encrypted: true, Authenticated: true, Fingerprint: key, RTT: 0.25, Loss: &loss},
		{Name: "B", Address: "10.0.0.3:5", Version: "2", Encrypted: true, Fingerprint: key, RTT: 12, Loss: new(float64)},
	})
	want := `NAME     ADDRESS     VERSION  SECURITY       FINGERPRINT       RTT        LOSS
A        10.0.0.1:5  1.1.1    none           -                 -          -
Phone 1  10.0.0.2:5  2        authenticated  0123456789abcdef  0.250 ms   1.2 %
B        10.0.0.3:5  2        encrypted      0123456789abcdef  12.000 ms  0.0 %`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Arguments and results of any size go through, not only those of one datagram.
func TestLargeCall(t *testing.T) {
	onLoopback(t)
	name := uniqueName()
	serveDemo(t, name, "--no-state")
	arg := `"` + strings.Repeat("0123456789", 10_000) + `"`
	if code, stdout, stderr := command(t, "call", name, "echo", arg, "--timeout", "20s"); code != 0 || stdout != arg {
		t.Errorf("%d: %d bytes, want %d; %s", code, len(stdout), len(arg), stderr)
	}
}
