//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/peerlink/peerlink/test/lab"
)

// site is where the two ends of a measurement run: on two hosts of a lab, or, if
// none can be made, both on this machine.
type site struct {
	lab *lab.Lab // nil: loopback
}

// Which host.
const (
	clientHost = iota
	serverHost
)

func newSite() (site, error) {
	if err := lab.Available(); err != nil {
		progress("%v: measuring over loopback, without peerlink %s", err, oldVersion)
		return site{}, nil
	}
	l, err := lab.New(2)
	return site{l}, err
}

func (s site) close() {
	if s.lab == nil {
		return
	}
	if err := s.lab.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

func (s site) isLab() bool { return s.lab != nil }

// String says it for people.
func (s site) String() string {
	if s.isLab() {
		return "a veth pair between two network namespaces"
	}
	return "loopback"
}

func (s site) addr(host int) netip.Addr {
	if s.isLab() {
		return s.lab.Hosts[host].Addr
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// command prepares a program on a host. On loopback nothing may leave the machine.
func (s site) command(ctx context.Context, host int, args ...string) *exec.Cmd {
	if s.isLab() {
		cmd := s.lab.Hosts[host].Command(ctx, "nice", append([]string{"-n", "-10"}, args...)...)
		cmd.Env = os.Environ()
		return cmd
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PEERLINK_INTERFACES=lo")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 2 * time.Second
	return cmd
}
