package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
)

// process is the program in a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), runEnv+"=1")
	return cmd
}

// Two processes meet, one with the secret in its environment, the other with it on
// standard input; no command line shows it.
func TestProcesses(t *testing.T) {
	onLoopback(t)
	noSecret(t)
	secret, name := peerlink.NewSecret(), uniqueName()
	server := process(t, "serve", "--name", name, "--json", "--no-state", "--log")
	server.Env = append(server.Env, secretEnv+"="+secret)
	var log bytes.Buffer
	server.Stderr = &log
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("serve ends: %v %s", server.Wait(), log.String())
	}
	var ready readyEvent
	if err := json.Unmarshal(lines.Bytes(), &ready); err != nil || ready.Name != name {
		t.Errorf("%s: %v", lines.Text(), err)
	}
	withoutSecret(t, secret, lines.Text(), commandLine(t, server.Process.Pid))

	client := process(t, "call", name, "add", "25", "17", "--secret-file", "-")
	client.Stdin = strings.NewReader(secret + "\n")
	if got, err := client.CombinedOutput(); err != nil || !strings.Contains(string(got), "42") {
		t.Errorf("%v %s", err, got)
	}
	stranger := process(t, "ping", name, "--secret-file", "-", "--timeout", "300ms")
	stranger.Stdin = strings.NewReader("")
	if got, err := stranger.CombinedOutput(); err == nil || !strings.Contains(string(got), "standard input is empty") {
		t.Errorf("%v %s", err, got)
	}

	stopProcess(server.Process)
	for lines.Scan() {
		withoutSecret(t, secret, lines.Text())
	}
	if err := server.Wait(); err != nil && runtime.GOOS != "windows" {
		t.Errorf("%v %s", err, log.String())
	}
	withoutSecret(t, secret, log.String())
}

// stopProcess is Ctrl-C, where there is such.
func stopProcess(p *os.Process) {
	if p.Signal(os.Interrupt) != nil {
		_ = p.Kill()
	}
}

// commandLine is what others see of a process; empty where there is no /proc.
func commandLine(t *testing.T, pid int) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		return ""
	}
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil || len(b) == 0 {
		t.Errorf("%q %v", b, err)
	}
	return string(b)
}

func TestPromptNeedsATerminal(t *testing.T) {
	noSecret(t)
	cmd := process(t, "discover", "--secret-prompt")
	cmd.Stdin = strings.NewReader("s3cret\n")
	got, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(got), "standard input is no terminal to ask on") {
		t.Errorf("%v %s", err, got)
	}
	withoutSecret(t, "s3cret", string(got))
}
