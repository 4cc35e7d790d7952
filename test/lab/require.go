//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Start is New for tests: the network goes with the test, also when that fails or
// panics. It begins with Require.
func Start(t testing.TB, n int) *Lab {
	t.Helper()
	Require(t)
	l, err := New(n)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, l)
	return l
}

// StartSwitched is NewSwitched for tests, as Start is New.
func StartSwitched(t testing.TB, n int, f Faults) *Switched {
	t.Helper()
	Require(t)
	require(t, tapAvailable())
	s, err := NewSwitched(n, f)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, s.Lab)
	return s
}

func closeAfter(t testing.TB, l *Lab) {
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Require skips the test where no network can be made, and says why. In CI, where
// the environment has CI=true, it fails it: nobody would notice the skip.
func Require(t testing.TB) {
	t.Helper()
	require(t, Available())
}

func require(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		fmt.Fprintf(os.Stderr, "%s is skipped: %v\n", t.Name(), err)
		t.Skip(err)
	}
}

// Available says why New cannot work here, if it cannot.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("network namespaces need the ip command (iproute2): %w", err)
	}
	probe := fmt.Sprintf("%s%d-probe", prefix, os.Getpid())
	if err := ip("netns", "add", probe); err != nil {
		return fmt.Errorf("no network namespace can be made: %w", err)
	}
	return ip("netns", "del", probe)
}

// tapAvailable says why NewSwitched cannot work here though New can.
func tapAvailable() error {
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("a switch needs TAP devices: %w", err)
	}
	return f.Close()
}
