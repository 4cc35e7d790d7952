package mdns

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/netio"
)

const (
	inbox      = 64                    // datagrams that wait for the loop
	minWake    = time.Millisecond      // a wrong deadline must not spin
	goodbyeGap = 30 * time.Millisecond // between the two goodbyes
)

// loop drives an engine: it owns the sockets, the clock and the goroutines.
type loop struct {
	log   *slog.Logger
	eng   *engine
	mail  mail
	conns [2]*conn // by family; nil where it could not be opened
	mute  [2]bool  // the failure has been logged
	in    chan packet
	dead  chan *conn
	quit  chan struct{}
	done  chan struct{}
	wg    sync.WaitGroup // the readers
}

func newLoop(env disco.Env, self disco.Service, sink disco.Sink) (*loop, error) {
	l := &loop{
		log:  env.Log,
		in:   make(chan packet, inbox),
		dead: make(chan *conn),
		quit: make(chan struct{}),
		done: make(chan struct{}),
	}
	l.mail.poke = make(chan struct{}, 1)
	l.eng = newEngine(env, self, sink, l)
	err4, err6 := l.open(v4), l.open(v6)
	if err4 != nil && err6 != nil {
		return nil, errors.Join(err4, err6)
	}
	return l, nil
}

// open opens the socket of one family and starts its reader.
func (l *loop) open(f family) error {
	c, err := listen(f)
	if err != nil {
		if !l.mute[f] { // it is tried every 2 s
			l.mute[f] = true
			l.log.Debug("no mDNS socket", "family", f, "err", err)
		}
		return err
	}
	l.conns[f], l.mute[f] = c, false
	l.wg.Go(func() { c.serve(l.in, l.dead, l.quit) })
	return nil
}

func (l *loop) run() {
	defer close(l.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.quit:
			l.farewell()
			return
		case <-l.mail.poke:
			l.read(l.mail.take(), time.Now())
		case p := <-l.in:
			l.eng.receive(p, time.Now())
		case c := <-l.dead:
			l.bury(c)
		case <-timer.C:
		}
		next := l.eng.tick(time.Now())
		timer.Reset(max(time.Until(next), minWake))
	}
}

func (l *loop) read(m letter, now time.Time) {
	if m.newTXT {
		l.eng.update(m.txt, now)
	}
	for _, name := range m.suspects {
		l.eng.reconfirm(name, now)
	}
	if m.network {
		l.reopen()
		l.eng.networkChanged(now)
	}
}

// farewell says goodbye twice and ends the readers.
func (l *loop) farewell() {
	if l.eng.goodbye() {
		time.Sleep(goodbyeGap)
		l.eng.goodbye()
	}
	for _, c := range l.conns {
		if c != nil {
			c.close()
		}
	}
	l.wg.Wait()
}

// bury closes a socket that the system has broken (a phone does so in its sleep);
// reopen replaces it, at the latest at the next look at the interfaces.
func (l *loop) bury(c *conn) {
	c.close()
	l.conns[c.fam] = nil
	l.eng.lostSocket(c.fam)
}

func (l *loop) reopen() {
	for _, f := range families {
		if l.conns[f] == nil {
			_ = l.open(f) // logged there, tried again
		}
	}
}

// The loop is the network of its engine.

func (l *loop) refresh() { l.reopen() }

func (l *loop) join(i netio.Interface, f family) error {
	if c := l.conns[f]; c != nil {
		return c.join(i)
	}
	return errNoSocket
}

func (l *loop) leave(i netio.Interface, f family) {
	if c := l.conns[f]; c != nil {
		c.leave(i)
	}
}

func (l *loop) multicast(i netio.Interface, f family, b []byte) {
	if c := l.conns[f]; c != nil {
		c.multicast(i, b)
	}
}

func (l *loop) unicast(i netio.Interface, to target, b []byte) {
	if c := l.conns[to.family()]; c != nil {
		c.unicast(i, to, b)
	}
}
