//go:build linux

package lab

import (
	"errors"
	"os"
	"sync"
	"time"
)

// Switched is a Lab whose hosts are joined by a switch in this process, which can do
// to frames what networks do. All methods are safe for concurrent use.
type Switched struct {
	*Lab

	ports []*port
	links [][]*link // from, to; nil to itself
	table macTable
	line  *delayLine
	watch watchers
	wg    sync.WaitGroup // one goroutine for each port, one for the delay line
}

// port is where a host is plugged in.
type port struct {
	tap *os.File
}

// NewSwitched is New with a switch and faults between all hosts.
func NewSwitched(n int, f Faults) (*Switched, error) {
	s := &Switched{Lab: &Lab{}}
	s.close = sync.OnceValue(func() error { return errors.Join(s.remove(), s.unplug()) })
	if err := s.build(n, func(string) error { return s.plug(f) }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// plug gives each host its eth0 and starts the switch.
func (s *Switched) plug(f Faults) (err error) {
	if s.line, err = newDelayLine(); err != nil {
		return err
	}
	for _, h := range s.Hosts {
		tap, err := h.openTAP()
		if err != nil {
			return err
		}
		s.ports = append(s.ports, &port{tap})
		if err := batch(h.space, "link set eth0 txqueuelen 10000"); err != nil {
			return err
		}
	}
	s.addLinks()
	s.SetFaults(f)
	s.wg.Go(s.line.run)
	for i := range s.ports {
		s.wg.Go(func() { s.serve(i) })
	}
	return nil
}

func (s *Switched) addLinks() {
	for from := range s.ports {
		row := make([]*link, len(s.ports))
		for to, p := range s.ports {
			if to != from {
				row[to] = &link{to: p, line: s.line}
			}
		}
		s.links = append(s.links, row)
	}
}

// unplug ends the goroutines and waits for them.
func (s *Switched) unplug() error {
	var errs []error
	for _, p := range s.ports {
		errs = append(errs, p.tap.Close())
	}
	if s.line != nil {
		errs = append(errs, s.line.close())
	}
	s.wg.Wait()
	return errors.Join(errs...)
}

// SetFaults sets the faults of all links.
func (s *Switched) SetFaults(f Faults) {
	for from := range s.links {
		for to := range s.links[from] {
			s.setLink(from, to, f)
		}
	}
}

// SetLinkFaults sets the faults of what goes from one host to another, in that
// direction only.
func (s *Switched) SetLinkFaults(from, to *Host, f Faults) {
	s.setLink(s.number(from), s.number(to), f)
}

func (s *Switched) setLink(from, to int, f Faults) {
	if l := s.links[from][to]; l != nil {
		l.set(f, uint64(from*MaxHosts+to))
	}
}

// Counters adds up those of all links.
func (s *Switched) Counters() (sum Counters) {
	for _, row := range s.links {
		for _, l := range row {
			if l != nil {
				sum.add(l.counters())
			}
		}
	}
	return sum
}

// LinkCounters counts what goes from one host to another.
func (s *Switched) LinkCounters(from, to *Host) Counters {
	if l := s.links[s.number(from)][s.number(to)]; l != nil {
		return l.counters()
	}
	return Counters{}
}

// number panics for a host of another Lab, which is a mistake in the test.
func (s *Switched) number(h *Host) int {
	for i, own := range s.Hosts {
		if own == h {
			return i
		}
	}
	panic("lab: the host is not of this lab")
}

// serve forwards what a host sends, until its eth0 is gone.
func (s *Switched) serve(from int) {
	buf := make([]byte, 1<<16)
	for {
		n, err := s.ports[from].tap.Read(buf)
		if err != nil {
			return
		}
		if n >= etherHeader {
			s.forward(from, buf[:n])
		}
	}
}

func (s *Switched) forward(from int, frame []byte) {
	s.watch.show(frame)
	p, now := parse(frame), time.Now()
	s.table.learn([6]byte(frame[6:]), from)
	if to, known := s.table.port([6]byte(frame)); known {
		if l := s.links[from][to]; l != nil {
			l.send(frame, p, now)
		}
		return
	}
	for _, l := range s.links[from] {
		if l != nil {
			l.send(frame, p, now)
		}
	}
}

// maxMACs bounds what a switch learns.
const maxMACs = 1024

// macTable knows behind which port an address is.
type macTable struct {
	mu    sync.RWMutex
	ports map[[6]byte]int
}

func (t *macTable) port(mac [6]byte) (number int, known bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	number, known = t.ports[mac]
	return number, known
}

// learn forgets all when it is full, and so floods until it has learned anew.
func (t *macTable) learn(mac [6]byte, number int) {
	if old, known := t.port(mac); known && old == number || mac[0]&1 != 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ports == nil || len(t.ports) >= maxMACs {
		t.ports = make(map[[6]byte]int)
	}
	t.ports[mac] = number
}
