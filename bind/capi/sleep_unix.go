//go:build unix

package main

// #include "plq.h"
import "C"

import (
	"os"
	"syscall"
)

// sleeper waits for the wake handle of the outbound queue, without a thread.
type sleeper struct{ f *os.File }

func newSleeper(c *C.plq_node) (*sleeper, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Dup(int(C.plq_out_handle(c))) // plq.c keeps its own
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd)
	return &sleeper{os.NewFile(uintptr(fd), "wake")}, nil
}

// sleep returns when the handle was set, and clears it.
func (s *sleeper) sleep() {
	var b [64]byte
	_, _ = s.f.Read(b[:]) // an error would be a bug; the pump would then spin, not stop
}

func (s *sleeper) close() { _ = s.f.Close() }
