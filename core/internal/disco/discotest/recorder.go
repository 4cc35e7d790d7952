package discotest

import (
	"sync"
	"testing"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
)

// An Event is one call of a sink.
type Event struct {
	At       time.Time
	Sighting disco.Sighting // of Found; of Lost only the Instance
	Lost     disco.Reason   // empty for Found and Failed
	Err      error          // of Failed
}

// A Recorder is a sink that keeps what it is told.
type Recorder struct {
	mu     sync.Mutex
	events []Event
	news   chan struct{} // closed and replaced at each event
}

// NewRecorder returns an empty one.
func NewRecorder() *Recorder { return &Recorder{news: make(chan struct{})} }

func (r *Recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.At = time.Now()
	r.events = append(r.events, e)
	close(r.news)
	r.news = make(chan struct{})
}

// Found implements disco.Sink.
func (r *Recorder) Found(s disco.Sighting) { r.add(Event{Sighting: s}) }

// Lost implements disco.Sink.
func (r *Recorder) Lost(instance string, why disco.Reason) {
	r.add(Event{Sighting: disco.Sighting{Instance: instance}, Lost: why})
}

// Failed implements disco.Sink.
// Renamed is not recorded: the other nodes see it.
func (r *Recorder) Renamed(string) {}

// Failed records what keeps the backend from seeing anything.
func (r *Recorder) Failed(err error) { r.add(Event{Err: err}) }

// Events returns what was recorded from the n-th event on.
func (r *Recorder) Events(n int) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event(nil), r.events[min(n, len(r.events)):]...)
}

// Mark returns the number of events so far, for Events and Await.
func (r *Recorder) Mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

// Await returns the first event from the mark on that match accepts.
func (r *Recorder) Await(t testing.TB, within time.Duration, mark int, what string, match func(Event) bool) Event {
	t.Helper()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for {
		r.mu.Lock()
		news := r.news
		r.mu.Unlock()
		for _, e := range r.Events(mark) {
			if match(e) {
				return e
			}
		}
		select {
		case <-news:
		case <-timeout.C:
			t.Fatalf("not within %v: %s; seen: %+v", within, what, r.Events(mark))
			return Event{}
		}
	}
}

// AwaitFound waits for a sighting of the instance.
func (r *Recorder) AwaitFound(t testing.TB, within time.Duration, mark int, instance string) disco.Sighting {
	t.Helper()
	return r.Await(t, within, mark, "Found "+instance, func(e Event) bool {
		return e.Lost == "" && e.Err == nil && e.Sighting.Instance == instance
	}).Sighting
}

// AwaitLost waits until the instance is lost for that reason.
func (r *Recorder) AwaitLost(t testing.TB, within time.Duration, mark int, instance string, why disco.Reason) Event {
	t.Helper()
	return r.Await(t, within, mark, "Lost "+instance, func(e Event) bool {
		return e.Lost == why && e.Sighting.Instance == instance
	})
}

// Never fails the test if such an event comes in the next d.
func (r *Recorder) Never(t testing.TB, d time.Duration, mark int, what string, match func(Event) bool) {
	t.Helper()
	time.Sleep(d) // the point is that nothing happens
	for _, e := range r.Events(mark) {
		if match(e) {
			t.Errorf("unexpected: %s: %+v", what, e)
		}
	}
}
