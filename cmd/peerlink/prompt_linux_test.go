package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a terminal that a test types on.
type terminal struct {
	user *os.File // what the person sees and types

	mu   sync.Mutex
	seen bytes.Buffer
	gone chan struct{}
}

// onTerminal starts cmd with a terminal as its standard input and error.
func onTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	fd := int(user.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	far, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	cmd.Stdin, cmd.Stderr = far, far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty := &terminal{user: user, gone: make(chan struct{})}
	go func() {
		defer close(tty.gone)
		_, _ = io.Copy(tty, user) // ends with an error when cmd is gone
	}()
	return tty
}

func (tty *terminal) Write(b []byte) (int, error) {
	tty.mu.Lock()
	defer tty.mu.Unlock()
	return tty.seen.Write(b)
}

func (tty *terminal) text() string {
	tty.mu.Lock()
	defer tty.mu.Unlock()
	return tty.seen.String()
}

func (tty *terminal) echoes(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tty.user.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// answer types text once there is a question and no echo.
func (tty *terminal) answer(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if strings.Contains(tty.text(), "Secret: ") && !tty.echoes(t) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no question: %q", tty.text())
		}
	}
	if _, err := tty.user.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestPrompt(t *testing.T) {
	onLoopback(t)
	noSecret(t)
	const secret = "correct horse"
	name := uniqueName()
	serveDemo(t, name, "--no-state", "--secret-file", secretFile(t, secret))
	for _, tt := range []struct {
		args []string
		text string
		ok   bool
		seen string
	}{
		{[]string{"--secret-prompt"}, secret + "\n", true, ""},
		{[]string{"--secret-file", "-"}, secret + "\n", true, ""}, // nobody wants to see it here either
		{[]string{"--secret-prompt"}, "\n", false, "the answer is empty"},
		{[]string{"--secret-prompt"}, "\x03", false, "canceled"}, // Ctrl-C
	} {
		cmd := process(t, append([]string{"call", name, "add", "25", "17", "--timeout", "20s"}, tt.args...)...)
		cmd.Env = append(cmd.Env, secretEnv+"=another") // the question wins
		var out bytes.Buffer
		cmd.Stdout = &out
		tty := onTerminal(t, cmd)
		tty.answer(t, tt.text)
		err := cmd.Wait()
		if !tty.echoes(t) {
			t.Errorf("%q: the terminal is left without echo", tt.text)
		}
		<-tty.gone
		if (err == nil) != tt.ok || tt.ok && out.String() != "42\n" || !strings.Contains(tty.text(), tt.seen) {
			t.Errorf("%q %q: %v, %q, terminal: %q", tt.args, tt.text, err, out.String(), tty.text())
		}
		withoutSecret(t, secret, out.String(), tty.text())
	}
}
