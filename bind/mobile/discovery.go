package peerlink

import (
	"errors"
	"sync"
	"time"

	core "github.com/peerlink/peerlink/core"
)

const (
	maxInstances = 4096             // remembered, to tell those that a fresh search does not find
	sweepAfter   = 10 * time.Second // what a fresh search finds, it finds by then
)

// injected makes a core.Discovery of the application's. All calls of the driver
// are made by one goroutine, so core never waits for the application but in Close.
type injected struct {
	driver Discovery
	failed func(code int32, detail string) // tells the application; never blocks
	sweep  time.Duration

	env  core.DiscoveryEnv
	self core.Service
	sink core.DiscoverySink

	poke chan struct{} // capacity 1: there is something to do
	end  sync.Once
	quit chan struct{}
	done chan struct{} // closed when the goroutine has ended

	gate   sync.RWMutex // held to read while the sink is called
	closed bool

	mu      sync.Mutex
	started bool
	txt     []string
	todo    task
	round   int            // grows with every restart
	seen    map[string]int // instance → the round in which it was last found
}

// A task is what the goroutine has to do next.
type task int

const (
	nothing task = iota
	announce
	restart
)

func newInjected(d Discovery, failed func(code int32, detail string)) *injected {
	return &injected{
		driver: d,
		failed: failed,
		sweep:  sweepAfter,
		poke:   make(chan struct{}, 1),
		quit:   make(chan struct{}),
		done:   make(chan struct{}),
		seen:   make(map[string]int),
	}
}

func (d *injected) Start(env core.DiscoveryEnv, self core.Service, sink core.DiscoverySink) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.started {
		return errors.New("discovery was started before")
	}
	d.started = true
	d.env, d.self, d.sink, d.txt = env, self, sink, self.TXT
	go d.run()
	return nil
}

func (d *injected) Update(txt []string) {
	d.mu.Lock()
	d.txt = txt
	d.mu.Unlock()
	d.do(announce)
}

// Reconfirm does nothing: neither NsdManager nor Bonjour's objects can ask.
func (d *injected) Reconfirm(string) {}

func (d *injected) NetworkChanged() { d.do(restart) }

func (d *injected) Close() error {
	d.mu.Lock()
	started := d.started
	d.started = true
	d.mu.Unlock()
	if started {
		d.end.Do(func() { close(d.quit) })
		<-d.done
	}
	d.gate.Lock()
	defer d.gate.Unlock()
	d.closed = true
	return nil
}

func (d *injected) do(t task) {
	d.mu.Lock()
	d.todo = max(d.todo, t)
	d.mu.Unlock()
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

func (d *injected) run() {
	defer close(d.done)
	defer d.stop()
	d.browse()
	d.advertise()
	var sweep <-chan time.Time
	for {
		select {
		case <-d.quit:
			return
		case <-sweep:
			d.forget()
		case <-d.poke:
			switch d.next() {
			case announce:
				d.advertise()
			case restart:
				d.stop()
				d.browse()
				d.advertise()
				sweep = time.After(d.sweep)
			}
		}
	}
}

func (d *injected) next() task {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.todo
	d.todo = nothing
	if t == restart {
		d.round++
	}
	return t
}

func (d *injected) advertise() {
	if d.self.Hidden {
		return
	}
	d.mu.Lock()
	txt := appendTXT(nil, d.txt)
	d.mu.Unlock()
	d.check(protect("advertise", func() error {
		return d.driver.Advertise(d.self.Type, d.self.Instance, int32(d.self.Port), txt)
	}))
}

func (d *injected) browse() {
	d.check(protect("browse", func() error {
		return d.driver.Browse(d.self.Type, &discoverySink{d})
	}))
}

func (d *injected) stop() {
	if err := protect("stop discovery", d.driver.StopAll); err != nil {
		d.env.Log.Warn("discovery did not stop cleanly", "error", err)
	}
}

func (d *injected) check(err error) {
	if err != nil {
		d.fail(&core.Error{Code: core.CodeIO, Op: "discovery", Err: err})
	}
}

// fail tells core and the application that discovery does not work.
func (d *injected) fail(err *core.Error) {
	if d.report(func(s core.DiscoverySink) { s.Failed(err) }) {
		d.failed(int32(err.Code), err.Error())
	}
}

// report calls the sink, unless discovery is closed.
func (d *injected) report(fn func(core.DiscoverySink)) bool {
	d.gate.RLock()
	defer d.gate.RUnlock()
	if !d.closed {
		fn(d.sink)
	}
	return !d.closed
}

// forget reports those that the search after the last restart did not find.
func (d *injected) forget() {
	d.mu.Lock()
	var lost []string
	for name, round := range d.seen {
		if round != d.round {
			lost = append(lost, name)
			delete(d.seen, name)
		}
	}
	d.mu.Unlock()
	for _, name := range lost {
		d.report(func(s core.DiscoverySink) { s.Lost(name, core.Expired) })
	}
}

// note remembers an instance; it refuses more than there can be in earnest.
func (d *injected) note(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.seen[name]; !ok && len(d.seen) >= maxInstances {
		return false
	}
	d.seen[name] = d.round
	return true
}

func (d *injected) unnote(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seen, name)
}
