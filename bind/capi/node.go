package main

// #include "plq.h"
import "C"

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
	"unsafe"

	peerlink "github.com/peerlink/peerlink/core"
)

// resolveTimeout bounds the look-up of a host name in pl_peer_add.
const resolveTimeout = 5 * time.Second

// node is the Go side of a pl_node, from pl_open to pl_close.
type node struct {
	c         *C.plq_node
	config    peerlink.Config
	discovery C.uint32_t
	codec     peerlink.Codec

	events events
	peers  peers
	out    outbound
	calls  calls
	served served

	life    sync.Mutex      // held by start, stop and close from begin to end
	alive   context.Context // ends when close begins: a stop that waits for handlers gives up
	die     context.CancelFunc
	mu      sync.Mutex
	fns     map[string]bool // what is registered, running or not
	session *session        // nil unless running
	closed  bool
}

// session is a node between pl_start and pl_stop.
type session struct {
	core   *peerlink.Node
	ending bool           // no call begins any more; under node.mu
	wg     sync.WaitGroup // forward, and calls under way

	ready atomic.Bool // PL_EV_STARTED is queued: no call comes before
	mu    sync.Mutex
	early []func() // calls that came before
}

// serve has a call of a peer served, now or when the session is ready.
func (s *session) serve(f func()) {
	if !s.ready.Load() && s.postpone(f) {
		return
	}
	f()
}

func (s *session) postpone(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready.Load() {
		return false
	}
	s.early = append(s.early, f) // core bounds how many
	return true
}

// becomeReady serves what was postponed; in the meantime nothing overtakes it.
func (s *session) becomeReady() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.early {
		f()
	}
	s.early = nil
	s.ready.Store(true)
}

var (
	errNotStarted = &statusError{C.PL_E_STATE, "the node is not started"}
	errStarted    = &statusError{C.PL_E_STATE, "the node is started already"}
	errClosed     = &statusError{C.PL_E_HANDLE, "no such node"}
)

func invalid(format string, args ...any) error {
	return &peerlink.Error{Code: peerlink.CodeInvalid, Err: fmt.Errorf(format, args...)}
}

// duration of a number of milliseconds, where PL_FOREVER is longer than anything.
func duration(ms C.uint32_t) time.Duration {
	if ms == C.PL_FOREVER {
		return 1 << 62
	}
	return time.Duration(ms) * time.Millisecond
}

// newNode copies cfg, which plq.c has checked, and starts the pump.
func newNode(c *C.plq_node, cfg *C.pl_config) (*node, error) {
	name := C.GoString(cfg.name)
	if !utf8.ValidString(name) {
		return nil, invalid("the name of the node is not UTF-8")
	}
	n := &node{
		c:         c,
		discovery: cfg.discovery,
		codec:     peerlink.Codec(cfg.codec),
		events: events{
			c:        c,
			max:      int(cfg.inbound_bytes / C.sizeof_pl_record),
			maxBytes: 4 * int(cfg.inbound_bytes),
		},
		peers:  newPeers(c, cfg.secret != nil && *cfg.secret != 0),
		calls:  calls{open: make(map[uint64]*underway)},
		served: served{open: make(map[uint64]*peerlink.Request)},
		fns:    make(map[string]bool),
	}
	n.alive, n.die = context.WithCancel(context.Background())
	n.config = peerlink.Config{
		Name:    name,
		Hidden:  cfg.flags&C.PL_HIDDEN != 0,
		UDPPort: uint16(cfg.udp_port),
		TCPPort: uint16(cfg.tcp_port),
		Logger:  slog.New(&logHandler{events: &n.events, max: C.uint16_t(cfg.log_level)}),
		Compat:  peerlink.Compat(cfg.allow_legacy),
	}
	if cfg.state_dir != nil {
		n.config.StateDir = C.GoString(cfg.state_dir)
	}
	if cfg.interfaces != nil {
		names := C.GoString(cfg.interfaces)
		n.config.Interfaces = func() ([]peerlink.Interface, error) {
			list, err := peerlink.SystemInterfaces()
			return peerlink.OnlyInterfaces(list, names), err
		}
	}
	if err := n.out.open(n); err != nil {
		return nil, &peerlink.Error{Code: peerlink.CodeIO, Err: err}
	}
	return n, nil
}

// backends are new for each start: a backend serves one node.
func (n *node) backends() []peerlink.Discovery {
	switch n.discovery {
	case C.PL_DISC_OFF:
		return []peerlink.Discovery{}
	case C.PL_DISC_ZEROCONF:
		return []peerlink.Discovery{peerlink.Zeroconf()}
	default:
		return nil // what core prefers, which is mDNS
	}
}

// running returns the session, or nil.
func (n *node) running() *session {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.session
}

// enter returns the session for a call that begins, or nil. The call ends with
// session.wg.Done.
func (n *node) enter() *session {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session == nil || n.session.ending {
		return nil
	}
	n.session.wg.Add(1)
	return n.session
}

func (n *node) start() error {
	n.life.Lock()
	defer n.life.Unlock()
	if n.closed {
		return errClosed
	}
	if n.session != nil {
		return errStarted
	}
	s := &session{}
	n.mu.Lock() // so that no registration falls between the map and the node
	defer n.mu.Unlock()
	cfg := n.config
	cfg.Discovery = n.backends()
	cfg.Handlers = make(map[string]any, len(n.fns))
	for fn := range n.fns {
		cfg.Handlers[fn] = n.handler(s, fn)
	}
	core, err := n.startCore(cfg)
	if err != nil {
		return err
	}
	s.core = core
	n.session = s
	C.plq_set_ports(n.c, C.uint16_t(core.UDPPort()), C.uint16_t(core.TCPPort()))
	key := core.Fingerprint().String()
	C.plq_set_fingerprint(n.c, (*C.char)(unsafe.Pointer(unsafe.StringData(key))), C.size_t(len(key)))
	C.plq_set_state(n.c, C.PLQ_RUNNING)
	n.events.push(event{typ: C.PL_EV_STARTED})
	s.becomeReady()
	s.wg.Go(func() { n.forward(s) })
	return nil
}

// startCore lends core the secret, of which the only copy is in C: core keeps no text
// of it.
func (n *node) startCore(cfg peerlink.Config) (*peerlink.Node, error) {
	var size C.size_t
	secret := C.plq_secret(n.c, &size)
	cfg.Secret = unsafe.String((*byte)(unsafe.Pointer(secret)), int(size))
	return peerlink.Start(n.alive, cfg)
}

func (n *node) stop(timeout time.Duration) error {
	n.life.Lock()
	defer n.life.Unlock()
	if n.closed {
		return errClosed
	}
	if n.session == nil {
		return errNotStarted
	}
	return n.halt(timeout)
}

// halt stops the running session. Every call has had its PL_EV_REPLY when
// PL_EV_STOPPED comes. It is called with life held.
func (n *node) halt(timeout time.Duration) error {
	s := n.session
	C.plq_set_state(n.c, C.PLQ_STOPPED)
	ctx, cancel := context.WithTimeout(n.alive, timeout)
	defer cancel()
	err := s.core.Shutdown(ctx)
	n.out.take(n) // calls that entered the queue before the state changed
	n.mu.Lock()
	s.ending = true
	n.mu.Unlock()
	s.wg.Wait()
	n.served.clear()
	n.mu.Lock()
	n.session = nil
	n.mu.Unlock()
	n.peers.clear()
	n.events.push(event{typ: C.PL_EV_STOPPED})
	return err
}

// close ends all goroutines of the node. The C node is not touched any more after it.
func (n *node) close() {
	n.die()
	n.life.Lock()
	defer n.life.Unlock()
	if n.closed {
		return
	}
	n.closed = true
	if n.session != nil {
		_ = n.halt(0) // handlers wait for an application that is gone
	}
	n.out.close(n)
	n.events.close()
}

func (n *node) register(fn string) error {
	if !utf8.ValidString(fn) {
		return invalid("the name of the function is not UTF-8")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fns[fn] = true
	if s := n.session; s != nil {
		return s.core.HandleAsync(fn, n.handler(s, fn))
	}
	return nil
}

func (n *node) unregister(fn string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.fns[fn] {
		return &peerlink.Error{Code: peerlink.CodeNoHandler}
	}
	delete(n.fns, fn)
	if s := n.session; s != nil {
		s.core.Unhandle(fn)
	}
	return nil
}

func (n *node) addPeer(name, host string, udp, tcp uint16) (uint32, error) {
	s := n.running()
	if s == nil {
		return 0, errNotStarted
	}
	addr, err := resolve(host)
	if err != nil {
		return 0, err
	}
	p, err := s.core.AddPeer(name, netip.AddrPortFrom(addr, udp), tcp)
	if err != nil {
		return 0, err
	}
	return n.peers.put(p), nil
}

// resolve returns the address that host is, or the first of the host with that name.
func resolve(host string) (netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, &peerlink.Error{Code: peerlink.CodeIO, Err: err}
	}
	return addrs[0].Unmap(), nil
}
