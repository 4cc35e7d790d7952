//go:build linux

package lab

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"
)

// Capture calls fn with each frame that a host sends, once and before any fault, one
// at a time, until stop is called. The frame is fn's during the call only. fn must be
// quick, and must not call Capture or stop.
func (s *Switched) Capture(fn func(frame []byte)) (stop func()) { return s.watch.add(fn) }

// watchers are who sees the frames.
type watchers struct {
	mu   sync.Mutex
	next int
	fns  map[int]func(frame []byte)
}

func (w *watchers) add(fn func(frame []byte)) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = make(map[int]func([]byte))
	}
	number := w.next
	w.next++
	w.fns[number] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fns, number)
	}
}

func (w *watchers) show(frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fn := range w.fns {
		fn(frame)
	}
}

// maxTrace is how many bytes of frames a Trace holds.
const maxTrace = 64 << 20

// ErrTraceFull says that more was sent than a Trace holds.
var ErrTraceFull = errors.New("lab: the trace is full")

// A Trace is what the hosts sent while it ran, before any fault. Its methods are safe
// for concurrent use.
type Trace struct {
	stop func()

	mu     sync.Mutex
	frames [][]byte
	size   int
	full   bool
	sent   map[[2]netip.Addr]Traffic
}

// Traffic is how much was sent from one address to another.
type Traffic struct {
	Datagrams int
	Bytes     int // of the UDP payloads
}

// Trace begins to record.
func (s *Switched) Trace() *Trace {
	t := &Trace{sent: make(map[[2]netip.Addr]Traffic)}
	t.stop = s.Capture(t.record)
	return t
}

// Stop ends the recording; the record stays.
func (t *Trace) Stop() { t.stop() }

func (t *Trace) record(frame []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.size+len(frame) > maxTrace {
		t.full = true
		return
	}
	t.size += len(frame)
	t.frames = append(t.frames, bytes.Clone(frame))
	if d, ok := UDP(frame); ok {
		pair := [2]netip.Addr{d.From.Addr(), d.To.Addr()}
		sum := t.sent[pair]
		sum.Datagrams++
		sum.Bytes += len(d.Payload)
		t.sent[pair] = sum
	}
}

// UDP returns what went from one address to another.
func (t *Trace) UDP(from, to netip.Addr) (Traffic, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent[[2]netip.Addr{from, to}], t.err()
}

// Find returns the first frame that has text anywhere, headers included; nil if none
// has. What is spread over several frames is not found.
func (t *Trace) Find(text string) ([]byte, error) {
	frames, err := t.Frames()
	for _, frame := range frames {
		if bytes.Contains(frame, []byte(text)) {
			return frame, nil
		}
	}
	return nil, err
}

// Frames returns all frames, in the order in which they were sent.
func (t *Trace) Frames() ([][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([][]byte(nil), t.frames...), t.err()
}

// err tells whether something is missing. mu is held.
func (t *Trace) err() error {
	if t.full {
		return ErrTraceFull
	}
	return nil
}
