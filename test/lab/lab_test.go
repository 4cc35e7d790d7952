//go:build linux

package lab

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/peerlink/peerlink/internal/leaktest"
)

// helperEnv makes the test binary a program that runs on a host.
const helperEnv = "PEERLINK_LAB_HELPER"

var group = net.UDPAddr{IP: net.IPv4(239, 91, 0, 1), Port: 9191}

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "listen":
		exitWith(listen())
	case "send":
		exitWith(send())
	default:
		leaktest.Main(m)
	}
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// listen prints "ready" and the first datagram to the group.
func listen() error {
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	conn, err := net.ListenMulticastUDP("udp4", eth0, &group)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	buf := make([]byte, 100)
	n, from, err := conn.ReadFromUDP(buf)
	fmt.Printf("%s from %v\n", buf[:n], from.IP)
	return err
}

func send() error {
	conn, err := net.DialUDP("udp4", nil, &group)
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte("hello"))
	return err
}

func helper(ctx context.Context, h *Host, what string) *exec.Cmd {
	cmd := h.Command(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+what)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestMulticastReachesEveryHost(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			l := Start(t, n)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var lines []*bufio.Scanner
			for _, h := range l.Hosts[1:] {
				lines = append(lines, startListener(ctx, t, h))
			}
			if err := helper(ctx, l.Hosts[0], "send").Run(); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("hello from %v", l.Hosts[0].Addr)
			for i, s := range lines {
				if s.Scan(); s.Text() != want {
					t.Errorf("host %d got %q, want %q", i+2, s.Text(), want)
				}
			}
		})
	}
}

func startListener(ctx context.Context, t *testing.T, h *Host) *bufio.Scanner {
	t.Helper()
	cmd := helper(ctx, h, "listen")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	s := bufio.NewScanner(out)
	if s.Scan(); s.Text() != "ready" {
		t.Fatalf("listener said %q", s.Text())
	}
	return s
}

func TestHostsSeeOnlyTheLab(t *testing.T) {
	l := Start(t, 2)
	out, err := l.Hosts[0].Command(t.Context(), "ip", "-o", "link").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name := strings.TrimSpace(strings.Split(line, ":")[1])
		if name, _, _ = strings.Cut(name, "@"); name != "lo" && name != "eth0" && !strings.Contains(line, "state DOWN") {
			t.Errorf("there is also %s", line)
		}
	}
}

func TestCloseEndsWhatRuns(t *testing.T) {
	Require(t)
	l, err := New(2)
	if err != nil {
		t.Fatal(err)
	}
	cmd := l.Hosts[0].Command(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		out, _ := exec.Command("ip", "netns", "pids", l.Hosts[0].space).Output()
		return len(out) > 0
	})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	begin := time.Now()
	if err := cmd.Wait(); err == nil || time.Since(begin) > 10*time.Second {
		t.Errorf("the process ended with %v after %v", err, time.Since(begin))
	}
	if left := spacesOf(t, os.Getpid()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNewSweepsUpAfterTheDead(t *testing.T) {
	Require(t)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	if err := ip("netns", "add", fmt.Sprintf("%s%d-1-1", prefix, dead.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	Start(t, 1)
	if left := spacesOf(t, dead.Process.Pid); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNewRefusesTooMany(t *testing.T) {
	for _, n := range []int{-1, 0, MaxHosts + 1} {
		if l, err := New(n); err == nil {
			_ = l.Close()
			t.Errorf("New(%d) worked", n)
		}
	}
}

// spacesOf returns the namespaces that a process made.
func spacesOf(t *testing.T, pid int) (names []string) {
	t.Helper()
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, fmt.Sprintf("%s%d-", prefix, pid)) {
			names = append(names, strings.TrimSpace(line))
		}
	}
	return names
}

func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 10 s")
		}
	}
}
