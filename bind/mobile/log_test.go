package peerlink

import (
	"log/slog"
	"strings"
	"testing"
)

type gatedLogger struct {
	open  chan struct{}
	lines chan string
}

func (l gatedLogger) Log(_ int32, line string) error {
	<-l.open
	if line == "msg=panic" {
		panic("logger")
	}
	l.lines <- line
	return nil
}

func TestLogLines(t *testing.T) {
	l := gatedLogger{make(chan struct{}), make(chan string, 2*maxLogQueue)}
	pump, log := newLog(l)
	close(l.open)
	log.Debug("not this")
	log.Info("panic")
	log.With("node", "Phone1").WithGroup("g").Warn("two\nlines", slog.Int("time", 1))
	if got, want := <-l.lines, `msg="two\nlines" node=Phone1 g.time=1`; got != want {
		t.Errorf("line %q, want %q", got, want)
	}
	pump.close()
	pump.close()
	log.Info("too late")
}

func TestLogDropsAndCounts(t *testing.T) {
	l := gatedLogger{make(chan struct{}), make(chan string, 2*maxLogQueue)}
	pump, log := newLog(l)
	const sent = maxLogQueue + 10
	for range sent {
		log.Info("x")
	}
	close(l.open)
	got := 0
	for ; <-l.lines == "msg=x"; got++ {
		if len(l.lines) == 0 {
			log.Info("y")
		}
	}
	if got < maxLogQueue || got >= sent {
		t.Errorf("%d of %d lines came, want %d or one more", got, sent, maxLogQueue)
	}
	pump.close()
}

func TestNoLogger(t *testing.T) {
	pump, log := newLog(nil)
	log.Info(strings.Repeat("x", 10))
	pump.close()
}
