//go:build linux

package lab

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Do runs fn on a thread that is on the host, and returns its error: sockets that fn
// opens are the host's for as long as they live. Goroutines that fn starts are not on
// the host, and fn must not call t.FailNow. The caller closes the sockets before the
// Lab.
func (h *Host) Do(fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- inSpace(h.space, fn) }()
	return <-done
}

// inSpace moves the thread and brings it back. It must not just let the thread end:
// the children that it started earlier would get their Pdeathsig.
func inSpace(space string, fn func() error) error {
	there, err := os.Open("/run/netns/" + space)
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("setns", err)
	}
	err = fn()
	if lost := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); lost != nil {
		return errors.Join(err, os.NewSyscallError("setns back", lost)) // still locked, so that it ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// openTAP makes eth0 of the host. It lives as long as the file: one frame a Read, one
// a Write.
func (h *Host) openTAP() (tap *os.File, err error) {
	err = h.Do(func() error {
		tap, err = newTAP("eth0")
		return err
	})
	return tap, err
}

func newTAP(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("TUNSETIFF", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
