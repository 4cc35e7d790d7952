package peerlink

import (
	"context"
	"log/slog"
	"sync"

	core "github.com/peerlink/peerlink/core"
)

const maxQueue = 256 // events waiting for OnEvent

// A session is a node between Start and Stop. Its goroutines:
//
//	pump      calls OnEvent; owns the end of the session
//	watch     reads core's events about peers
//	log       calls Logger.Log
//	one per outgoing call
//	one of the injected discovery, ended by core
type session struct {
	core    *core.Node
	log     *slog.Logger
	logs    *logPump
	lock    MulticastLock // nil if not held
	handler EventHandler
	inbox   *inbox
	outbox  outbox

	queue  chan *Event
	ctx    context.Context // ends in Stop, when core is closed
	cancel context.CancelFunc
	watch  sync.WaitGroup
	idle   chan struct{} // closed after the last event
}

func (n *Node) newSession() *session {
	s := &session{
		handler: n.handler,
		inbox:   &n.inbox,
		queue:   make(chan *Event, maxQueue),
		idle:    make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.logs, s.log = newLog(n.cfg.logger)
	return s
}

// open starts core; of the goroutines above, that of the log runs already.
func (s *session) open(c Config, handlers map[string]any) error {
	s.takeLock(c.lock)
	cfg := s.config(c)
	cfg.Handlers = handlers
	node, err := core.Start(context.Background(), cfg)
	if err != nil {
		s.abandon()
		return err
	}
	s.core = node
	return nil
}

func (s *session) config(c Config) core.Config {
	cfg := core.Config{Name: c.name, Logger: s.log, Secret: c.secret, StateDir: c.stateDir, Compat: c.compat}
	if c.discovery != nil {
		cfg.Discovery = []core.Discovery{newInjected(c.discovery, s.discoveryFailed)}
	}
	if c.interfaces != nil {
		list := &interfaceList{driver: c.interfaces, log: s.log}
		cfg.Interfaces = list.get
	}
	return cfg
}

func (s *session) takeLock(l MulticastLock) {
	if l == nil {
		return
	}
	if err := protect("multicast lock", l.Lock); err != nil {
		s.log.Warn("no multicast lock", "error", err)
		return
	}
	s.lock = l
}

func (s *session) dropLock() {
	if s.lock == nil {
		return
	}
	l := s.lock
	s.lock = nil
	if err := protect("multicast unlock", l.Unlock); err != nil {
		s.log.Warn("multicast lock not given back", "error", err)
	}
}

// run starts delivering, as soon as the session before has delivered its last.
func (s *session) run(before <-chan struct{}) {
	s.watch.Go(s.watchPeers)
	go s.pump(before)
}

// end is called when core is closed. It does not wait for the pump, on whose
// goroutine it may run.
func (s *session) end() {
	s.cancel()
	s.watch.Wait()
	s.dropLock()
}

// abandon undoes open.
func (s *session) abandon() {
	if s.core != nil {
		if err := s.core.Close(); err != nil {
			s.log.Warn("close", "error", err)
		}
	}
	s.end()
	s.logs.close()
}
