package peerlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/legacy"
	"github.com/peerlink/peerlink/core/internal/limit"
	"github.com/peerlink/peerlink/core/internal/netio"
	"github.com/peerlink/peerlink/core/internal/rpc"
)

// closeGrace is how long Close waits for handlers that do not heed their context.
const closeGrace = 5 * time.Second

// Node is one named participant. All methods are safe for concurrent use.
//
// These are its goroutines; all are started by spawn, and Close waits for them:
//
//	read    one              takes datagrams off the socket, never blocks on anything else
//	serve   Limits.Handlers  runs handlers, one at a time; up to maxIdle wait for the next
//	accept  one              takes TCP connections
//	refuse  maxStrangers     tells one TCP connection that nothing is served there
//	tend    one              liveness of peers, heartbeat for 1.x nodes
//
// Backends of discovery own theirs and end them in their Close.
type Node struct {
	name      string
	announced atomic.Pointer[string] // nil: name
	id        ID
	limits    Limits
	log       *slog.Logger
	conn      *net.UDPConn
	tcp       net.Listener
	backends  atomic.Pointer[[]Discovery] // those that run

	handlers handlers
	jobs     chan job // to an idle serve
	idle     atomic.Int32
	open     requests
	late     sync.RWMutex // held to read while a timer ends a call
	peers    *peerSet
	pending  *rpc.Pending[reply]
	gate     *limit.Gate[netip.AddrPort]
	badInput limit.Line
	beat     atomic.Uint64

	ctx    context.Context // ends when Close begins; what handlers get
	cancel context.CancelFunc
	done   chan struct{} // closed when Close begins
	wg     sync.WaitGroup
	close  func() error // once
}

// Start opens the sockets, announces the node and returns. It does not wait for
// peers, nor for a network: a node started offline joins when an interface
// appears. ctx bounds Start alone; the node lives until Close.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, contextError("start", "", err)
	}
	n := newNode(cfg)
	for name, h := range cfg.Handlers {
		if err := n.Handle(name, h); err != nil {
			return nil, err
		}
	}
	if err := n.listen(cfg); err != nil {
		return nil, err
	}
	n.spawn(n.read)
	n.spawn(n.accept)
	n.spawn(n.tend)
	if err := n.announce(cfg); err != nil {
		_ = n.Close()
		return nil, err
	}
	n.log.Info("node started", "name", n.name, "udp", n.UDPPort(), "tcp", n.TCPPort())
	return n, nil
}

func newNode(cfg Config) *Node {
	n := &Node{
		name:    cfg.Name,
		id:      newID(),
		limits:  cfg.Limits,
		log:     cfg.Logger.With("node", cfg.Name),
		pending: rpc.NewPending[reply](),
		jobs:    make(chan job),
		gate:    limit.NewGate[netip.AddrPort](cfg.Limits.Handlers, cfg.Limits.CallsPerPeer),
		done:    make(chan struct{}),
	}
	n.peers = newPeerSet(n, disco.NewTable(disco.ID(n.id), cfg.Limits.Peers))
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.close = sync.OnceValue(n.shut)
	return n
}

// listen binds both sockets: the ports asked for, else those that 1.x derives from
// the name, else any.
func (n *Node) listen(cfg Config) (err error) {
	udp, tcp := cfg.UDPPort, cfg.TCPPort
	if udp == 0 {
		udp = legacy.UDPPort(n.name)
	}
	if tcp == 0 {
		tcp = legacy.TCPPort(n.name)
	}
	if n.conn, err = netio.ListenUDP(udp, cfg.UDPPort != 0); err != nil {
		return ioError(fmt.Sprintf("bind UDP port %d", udp), err)
	}
	if n.tcp, err = netio.ListenTCP(tcp, cfg.TCPPort != 0); err != nil {
		_ = n.conn.Close()
		return ioError(fmt.Sprintf("bind TCP port %d", tcp), err)
	}
	return nil
}

// announce starts the backends of discovery.
func (n *Node) announce(cfg Config) error {
	service := Service{
		Type:     serviceType,
		Instance: n.name,
		Host:     "pl-" + n.id.String()[:18], // unique: a node may be called like a machine
		Port:     n.UDPPort(),
		TXT:      n.txt(),
		Hidden:   cfg.Hidden,
	}
	env := DiscoveryEnv{Log: n.log, Interfaces: cfg.Interfaces}
	for i, b := range cfg.Discovery {
		if err := b.Start(env, service, sink{n, i}); err != nil {
			return ioError("start discovery", err)
		}
		started := slices.Clone(cfg.Discovery[:i+1])
		n.backends.Store(&started)
	}
	if n.AnnouncedName() != n.name { // so soon that updateTXT found no backend yet
		n.updateTXT()
	}
	return nil
}

// discovery returns the backends that run.
func (n *Node) discovery() []Discovery {
	if b := n.backends.Load(); b != nil {
		return *b
	}
	return nil
}

// txt is what the node says of itself, with the present heartbeat.
func (n *Node) txt() []string {
	info := disco.Info{Name: n.AnnouncedName(), ID: disco.ID(n.id), TCPPort: n.TCPPort(), Version: Version}
	return info.TXT(n.UDPPort(), n.beat.Load())
}

// spawn runs f on a goroutine that Close waits for.
func (n *Node) spawn(f func()) { n.wg.Go(f) }

// Close sends goodbyes, fails what is pending with ErrClosed, cancels the context
// of running handlers, and returns when every goroutine of the node has ended. A
// handler that does not heed its context is waited for 5 s and then named in the
// error. Later calls return the same result.
func (n *Node) Close() error { return n.close() }

// Shutdown is Close that first lets running handlers finish, until ctx ends.
// Requests that come meanwhile are refused.
func (n *Node) Shutdown(ctx context.Context) error {
	select {
	case <-n.gate.Shut():
	case <-ctx.Done():
	case <-n.done:
	}
	return n.Close()
}

// shut is what Close does once.
func (n *Node) shut() error {
	close(n.done)
	n.late.Lock() // no timer ends a call after this
	n.pending.Close(reply{closed: true})
	n.late.Unlock()
	for _, b := range n.discovery() {
		if err := b.Close(); err != nil {
			n.log.Warn("discovery did not close cleanly", "err", err)
		}
	}
	n.cancel()
	n.open.close()
	stuck := n.waitForHandlers()
	err := errors.Join(n.conn.Close(), n.tcp.Close())
	if stuck > 0 {
		// Their goroutines cannot be ended, so there is nothing to wait for.
		return &Error{Code: CodeTimeout, Op: "close", Err: fmt.Errorf("%d handlers still run", stuck)}
	}
	n.wg.Wait()
	n.log.Info("node closed")
	if err != nil {
		return ioError("close", err)
	}
	return nil
}

// waitForHandlers returns how many did not end in time.
func (n *Node) waitForHandlers() int {
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case <-n.gate.Shut():
		return 0
	case <-timer.C:
		return n.gate.Running()
	}
}

// Name returns the node's name.
func (n *Node) Name() string { return n.name }

// AnnouncedName returns the name under which others find this node: Name, or
// "Name (2)" and so on if another node had it first.
func (n *Node) AnnouncedName() string {
	if p := n.announced.Load(); p != nil {
		return *p
	}
	return n.name
}

// ID returns what tells this node from others of its name. It is new with each Start.
func (n *Node) ID() ID { return n.id }

// UDPPort returns the port on which calls arrive.
func (n *Node) UDPPort() uint16 { return n.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

// TCPPort returns the port that is announced for streams and files.
func (n *Node) TCPPort() uint16 { return n.tcp.Addr().(*net.TCPAddr).AddrPort().Port() }

// NetworkChanged tells the node that interfaces came, went or changed. It notices
// by itself within seconds; a phone's system knows at once.
func (n *Node) NetworkChanged() {
	for _, b := range n.discovery() {
		b.NetworkChanged()
	}
}

// ioError wraps an error of the operating system.
func ioError(op string, err error) error {
	code := CodeIO
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EPERM) {
		code = CodePermission
	}
	return &Error{Code: code, Op: op, Err: err}
}

// contextError wraps the error of a context that ended.
func contextError(op, peer string, err error) error {
	code := CodeCanceled
	if errors.Is(err, context.DeadlineExceeded) {
		code = CodeTimeout
	}
	return &Error{Code: code, Op: op, Peer: peer, Err: err}
}
