package peerlink

import (
	"context"
	"sync"
	"time"
)

// A Node is this phone among its peers. Register functions, Start it, call others.
// After Stop it can be started again.
type Node struct {
	cfg     Config
	handler EventHandler
	inbox   inbox

	life sync.Mutex      // held by Start and Stop
	last <-chan struct{} // closed when the session before has delivered its last event

	mu        sync.Mutex
	functions map[string]bool // registered, in this session and the next
	session   *session        // nil while not running
}

// NewNode returns a node that does nothing yet. If something is missing, Start
// says so.
func NewNode(cfg *Config, handler EventHandler) *Node {
	n := &Node{handler: handler}
	if cfg != nil {
		n.cfg = *cfg
	}
	return n
}

// Start opens the sockets, announces the node and returns. It does not wait for
// peers, nor for a network. EventStarted is the first event.
func (n *Node) Start() (err error) {
	defer export("start", &err)
	if n == nil || n.handler == nil {
		return invalid("start", "no event handler")
	}
	n.life.Lock()
	defer n.life.Unlock()
	if n.running() != nil {
		return nil
	}
	s := n.newSession()
	known := n.handlers(s)
	if err := s.open(n.cfg, known); err != nil {
		return err
	}
	if err := n.adopt(s, known); err != nil {
		s.abandon()
		return err
	}
	s.run(n.last)
	n.last = s.idle
	return nil
}

// adopt makes s the session, with what was registered and unregistered since known.
func (n *Node) adopt(s *session, known map[string]any) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.functions {
		if known[name] != nil {
			continue
		}
		if err := s.core.HandleRaw(name, n.serve(s, name)); err != nil {
			return err
		}
	}
	for name := range known {
		if !n.functions[name] {
			s.core.Unhandle(name)
		}
	}
	n.session = s
	return nil
}

// Stop says goodbye and closes the sockets; calls under way fail with CodeClosed.
// First it waits until the functions that peers have called are answered, but not
// longer than timeoutMillis; 0 does not wait. Called from inside OnEvent it should
// not wait, since nothing can be answered meanwhile.
//
// It does not wait for OnEvent to return: EventStopped tells when all is over.
func (n *Node) Stop(timeoutMillis int32) (err error) {
	defer export("stop", &err)
	if n == nil {
		return nil
	}
	n.life.Lock()
	defer n.life.Unlock()
	s := n.running()
	if s == nil {
		return nil
	}
	err = s.closeCore(millis(timeoutMillis))
	n.mu.Lock()
	n.session = nil
	n.mu.Unlock()
	s.end()
	return err
}

// NetworkChanged tells the node that the phone joined or left a network, or came
// back from sleep. It returns at once.
func (n *Node) NetworkChanged() {
	defer guard("network changed")
	if s := n.running(); s != nil {
		s.core.NetworkChanged()
	}
}

// Port returns the UDP port of the running node, 0 if it is not running.
func (n *Node) Port() int32 {
	defer guard("port")
	if s := n.running(); s != nil {
		return int32(s.core.UDPPort())
	}
	return 0
}

// Fingerprint names the key of the running node, in 64 hexadecimal digits; "" if it is
// not running.
func (n *Node) Fingerprint() (fingerprint string) {
	defer guard("fingerprint")
	if s := n.running(); s != nil {
		return keyText(s.core.Fingerprint())
	}
	return ""
}

// running returns the session, nil if there is none.
func (n *Node) running() *session {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.session
}

func millis(ms int32) time.Duration { return time.Duration(max(ms, 0)) * time.Millisecond }

// closeCore ends the node of s, gracefully if there is time.
func (s *session) closeCore(wait time.Duration) error {
	if wait == 0 {
		return s.core.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	return s.core.Shutdown(ctx)
}
