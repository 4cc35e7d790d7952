//go:build linux

package lab

import (
	"container/heap"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxQueue is how many frames may be under way to one port.
const maxQueue = 4096

// delayLine keeps frames until they are due.
//
// It waits on a timer of the kernel: those of the runtime are late by up to a
// millisecond in a process that is idle.
type delayLine struct {
	clock *os.File // timerfd; one 8-byte Read a tick

	mu     sync.Mutex
	frames dueHeap
	posted uint64
	queued map[*port]int
}

// lateFrame is one that waits.
type lateFrame struct {
	due    time.Time
	number uint64 // keeps the order of those due at one time
	link   *link
	bytes  []byte
}

func newDelayLine() (*delayLine, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &delayLine{clock: os.NewFile(uintptr(fd), "timerfd"), queued: make(map[*port]int)}, nil
}

// post keeps a copy of the frame for the link. It reports false if too much waits for
// the port already.
func (d *delayLine) post(l *link, frame []byte, due time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queued[l.to] >= maxQueue {
		return false
	}
	d.queued[l.to]++
	d.posted++
	heap.Push(&d.frames, lateFrame{due, d.posted, l, append([]byte(nil), frame...)})
	if d.frames[0].number == d.posted {
		d.arm()
	}
	return true
}

// run delivers until close.
func (d *delayLine) run() {
	var ticks [8]byte
	for {
		if _, err := d.clock.Read(ticks[:]); err != nil {
			return
		}
		for _, f := range d.take(time.Now()) {
			f.link.deliver(f.bytes)
		}
	}
}

// take removes what is due and sets the clock for the next.
func (d *delayLine) take(now time.Time) (due []lateFrame) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.frames) > 0 && !d.frames[0].due.After(now) {
		f := heap.Pop(&d.frames).(lateFrame)
		d.queued[f.link.to]--
		due = append(due, f)
	}
	if len(d.frames) > 0 {
		d.arm()
	}
	return due
}

// arm sets the clock for the first frame. mu is held.
func (d *delayLine) arm() {
	wait := max(1, time.Until(d.frames[0].due)) // 0 would stop it
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(wait))}
	conn, err := d.clock.SyscallConn()
	if err == nil {
		_ = conn.Control(func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &spec, nil) })
	}
}

// close ends run. What waits is gone.
func (d *delayLine) close() error { return d.clock.Close() }

type dueHeap []lateFrame

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].number < h[j].number
	}
	return h[i].due.Before(h[j].due)
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(f any)   { *h = append(*h, f.(lateFrame)) }
func (h *dueHeap) Pop() any {
	old := *h
	f := old[len(old)-1]
	old[len(old)-1] = lateFrame{}
	*h = old[:len(old)-1]
	return f
}
