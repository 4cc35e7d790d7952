//go:build linux

// Package lab gives tests a network of their own: hosts that are network
// namespaces on one Ethernet, out of reach of every real network.
//
//	l := lab.Start(t, 3)
//	out, err := l.Hosts[0].Command(ctx, "ip", "addr").Output()
//
// Hosts have eth0 with 10.91.x.y/24 and a default route onto that link, multicast,
// an IPv6 link-local address and lo. Two hosts are joined by a veth pair, more by a
// bridge; or, if frames shall be lost, late or listened to, any number by a switch
// in this process: see StartSwitched. Needs root and the ip command.
package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// MaxHosts is how many hosts a Lab can have.
const MaxHosts = 64

// prefix begins the names of all namespaces: prefix, process id, number of the lab,
// number of the host.
const prefix = "pllab"

// labs counts those of this process.
var labs atomic.Int32

// A Lab is some hosts on one Ethernet.
type Lab struct {
	Hosts []*Host

	spaces []string // all namespaces, with that of the bridge
	close  func() error
}

// A Host is one network namespace.
type Host struct {
	Addr netip.Addr // of eth0

	space string
}

// New builds a network of n hosts. The caller must Close it. Namespaces of
// processes that died without doing so are removed.
func New(n int) (*Lab, error) {
	l := &Lab{}
	l.close = sync.OnceValue(l.remove)
	if err := l.build(n, l.cable); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// build adds hosts first and then the cables, because a cable needs both ends. join
// lays them; middle is a name for one more namespace.
func (l *Lab) build(n int, join func(middle string) error) error {
	if n < 1 || n > MaxHosts {
		return fmt.Errorf("lab: %d hosts are asked for, 1 to %d are possible", n, MaxHosts)
	}
	sweep()
	number := int(labs.Add(1))
	for i := range n {
		h := &Host{
			Addr:  netip.AddrFrom4([4]byte{10, 91, byte(number), byte(i + 1)}),
			space: fmt.Sprintf("%s%d-%d-%d", prefix, os.Getpid(), number, i+1),
		}
		if err := l.addSpace(h.space); err != nil {
			return err
		}
		l.Hosts = append(l.Hosts, h)
	}
	if err := join(fmt.Sprintf("%s%d-%d-0", prefix, os.Getpid(), number)); err != nil {
		return err
	}
	for _, h := range l.Hosts {
		if err := h.configure(); err != nil {
			return err
		}
	}
	return nil
}

// addSpace makes a namespace in which IPv6 addresses are usable at once, without
// the second that duplicate address detection takes (RFC 4862 §5.4).
func (l *Lab) addSpace(name string) error {
	if err := ip("netns", "add", name); err != nil {
		return err
	}
	l.spaces = append(l.spaces, name)
	const noDAD = `f=/proc/sys/net/ipv6/conf/default/accept_dad; [ ! -e $f ] || echo 0 >$f`
	return ip("netns", "exec", name, "sh", "-c", noDAD)
}

// cable joins the hosts; middle is the name of the namespace of the bridge, if one
// is needed. Both ends are made where they belong: nothing appears outside.
func (l *Lab) cable(middle string) error {
	if len(l.Hosts) == 2 {
		return ip("link", "add", "eth0", "netns", l.Hosts[0].space, "type", "veth",
			"peer", "name", "eth0", "netns", l.Hosts[1].space)
	}
	if err := l.addSpace(middle); err != nil {
		return err
	}
	err := batch(middle, "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set br0 up")
	for i, h := range l.Hosts {
		port := fmt.Sprintf("port%d", i+1)
		err = errors.Join(err,
			ip("link", "add", "eth0", "netns", h.space, "type", "veth", "peer", "name", port, "netns", middle),
			batch(middle, "link set "+port+" master br0 up"))
	}
	return err
}

func (h *Host) configure() error {
	return batch(h.space,
		"link set lo up",
		"link set eth0 multicast on up",
		"addr add "+h.Addr.String()+"/24 brd + dev eth0",
		"route add default dev eth0")
}

// Command is exec.CommandContext on the host. The process does not outlive ours,
// nor the Lab.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.space, name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// SetLink plugs the cable of the host in or out.
func (h *Host) SetLink(up bool) error {
	if !up {
		return batch(h.space, "link set eth0 down")
	}
	return batch(h.space, "link set eth0 up", "route replace default dev eth0")
}

// Close ends the processes that still run on the hosts, and removes the hosts.
func (l *Lab) Close() error { return l.close() }

func (l *Lab) remove() error {
	var errs []error
	for _, name := range l.spaces {
		errs = append(errs, removeSpace(name))
	}
	return errors.Join(errs...)
}

// removeSpace kills what runs in a namespace: while it does, the network stays.
func removeSpace(name string) error {
	out, _ := exec.Command("ip", "netns", "pids", name).Output()
	for _, field := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(field); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return ip("netns", "del", name)
}

// sweep removes the namespaces of processes that are gone.
func sweep() {
	out, _ := exec.Command("ip", "netns", "list").Output()
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		owner, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "-")
		pid, err := strconv.Atoi(owner)
		if err != nil || !strings.HasPrefix(name, prefix) || pid == os.Getpid() {
			continue
		}
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = removeSpace(name)
		}
	}
}

// batch runs several ip commands in a namespace.
func batch(space string, lines ...string) error {
	return run(exec.Command("ip", "-n", space, "-batch", "-"), strings.Join(lines, "\n")+"\n")
}

func ip(args ...string) error { return run(exec.Command("ip", args...), "") }

func run(cmd *exec.Cmd, stdin string) error {
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", strings.Join(cmd.Args, " "), stdin, err, strings.TrimSpace(string(out)))
	}
	return nil
}
