//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// A child is a program on a host that reads lines and prints JSON objects.
type child struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	stdin  io.WriteCloser
	lines  chan []byte // closed at the end of its output
	stderr tail
}

// spawn starts a program. The caller must end it.
func (b bench) spawn(ctx context.Context, host int, env []string, args ...string) (*child, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &child{cmd: b.command(ctx, host, args...), cancel: cancel, lines: make(chan []byte, 1000)}
	c.cmd.Env = append(c.cmd.Env, env...)
	c.cmd.Stderr = &c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	c.stdin = stdin
	go c.read(ctx, stdout)
	return c, nil
}

func (c *child) read(ctx context.Context, stdout io.Reader) {
	defer close(c.lines)
	for s := bufio.NewScanner(stdout); s.Scan(); {
		select {
		case c.lines <- append([]byte(nil), s.Bytes()...):
		case <-ctx.Done():
			return
		}
	}
}

// next decodes the next object into v.
func (c *child) next(v any, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case line, ok := <-c.lines:
		if !ok {
			return fmt.Errorf("%v ended: %s", c.cmd.Args, c.stderr.String())
		}
		return json.Unmarshal(line, v)
	case <-timer.C:
		return fmt.Errorf("%v says nothing for %v: %s", c.cmd.Args, patience, c.stderr.String())
	}
}

// ask writes a line and decodes the object that answers it.
func (c *child) ask(question string, v any) error {
	if err := c.tell("%s", question); err != nil {
		return err
	}
	return c.next(v, time.Minute)
}

// tell writes a line.
func (c *child) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(c.stdin, format+"\n", args...)
	return err
}

// end closes the input, which asks the program to end, and kills it if it does not
// within 3 s.
func (c *child) end() {
	defer c.cancel()
	_ = c.stdin.Close()
	timer := time.AfterFunc(3*time.Second, c.cancel)
	defer timer.Stop()
	for range c.lines { // Wait must not be called before all is read
	}
	_ = c.cmd.Wait()
}

// tail keeps the last of what is written to it, and counts the lines.
type tail struct {
	mu    sync.Mutex
	b     []byte
	count int
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	t.b = t.b[max(0, len(t.b)-2000):]
	t.count += bytes.Count(b, []byte("\n"))
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

func (t *tail) lines() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}
