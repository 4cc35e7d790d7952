package peerlink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
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
	"github.com/peerlink/peerlink/core/internal/seal"
)

// closeGrace is how long Close waits for handlers that do not heed their context.
const closeGrace = 5 * time.Second

// Node is one named participant. All methods are safe for concurrent use.
type Node struct {
	name      string
	announced atomic.Pointer[string] // nil: name
	id        ID
	limits    Limits
	log       *slog.Logger
	conn      netio.Conn
	tcp       net.Listener
	backends  atomic.Pointer[[]Discovery] // those that run
	realm     *seal.Realm
	identity  *seal.Identity
	allow     []Fingerprint
	compat    bool // nodes of 1.x are spoken with

	handlers  handlers
	jobs      chan job // to an idle serve
	idle      atomic.Int32
	open      requests
	late      sync.RWMutex // held to read while a timer ends a call
	peers     *peerSet
	sessions  sessions
	shakes    *handshakes
	pending   *rpc.Pending[reply] // calls of 1.x nodes
	gate      *limit.Gate[gateKey]
	watching  atomic.Bool // watch is awake
	wakeWatch chan struct{}
	leads     sync.Mutex   // held by whoever leads
	leader    *reader      // of whoever leads
	crowded   atomic.Int64 // when there was more than one last, ns since epoch
	waiting   atomic.Int64 // calls of native peers that wait for their answers
	badInput  limit.Line
	beat      atomic.Uint64

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
	n, err := newNode(cfg)
	if err != nil {
		return nil, err
	}
	for name, h := range cfg.Handlers {
		if err := n.Handle(name, h); err != nil {
			return nil, err
		}
	}
	if err := n.listen(cfg); err != nil {
		return nil, err
	}
	r := n.newReader()
	n.spawn(r.read)
	n.spawn(func() { n.watch(r) })
	n.spawn(n.accept)
	n.spawn(n.tend)
	if err := n.announce(cfg); err != nil {
		_ = n.Close()
		return nil, err
	}
	n.log.Info("node started", "name", n.name, "udp", n.UDPPort(), "tcp", n.TCPPort())
	return n, nil
}

func newNode(cfg Config) (*Node, error) {
	realm, err := newRealm(cfg.Secret)
	if err != nil {
		return nil, err
	}
	identity, err := loadIdentity(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	n := &Node{
		name:    cfg.Name,
		id:      newID(),
		limits:  cfg.Limits,
		log:     cfg.Logger.With("node", cfg.Name),
		pending: rpc.NewPending[reply](),
		jobs:    make(chan job),
		gate:    limit.NewGate[gateKey](cfg.Limits.Handlers, cfg.Limits.CallsPerPeer),
		done:    make(chan struct{}),

		realm:     realm,
		identity:  identity,
		allow:     cfg.Allow,
		compat:    cfg.Compat == CompatOn,
		wakeWatch: make(chan struct{}, 1),
	}
	n.leader = n.newReader()
	n.leader.leads = true
	table := disco.NewTable(disco.ID(n.id), cfg.Limits.Peers)
	table.Admit = n.admits
	n.peers = newPeerSet(n, table)
	if n.shakes, err = newHandshakes(n); err != nil {
		return nil, err
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.close = sync.OnceValue(n.shut)
	return n, nil
}

// admits says which announcements count: those of our realm, and of 1.x nodes if they
// are spoken with.
func (n *Node) admits(info disco.Info) bool {
	if info.Native == 0 {
		return n.compat && info.Realm == ""
	}
	return info.Realm == n.realmTag()
}

// realmTag is what is announced of the realm; "" in the open one.
func (n *Node) realmTag() string {
	if n.realm.Open() {
		return ""
	}
	tag := n.realm.Tag()
	return hex.EncodeToString(tag[:])
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
	if n.conn, err = cfg.network.ListenUDP(udp, cfg.UDPPort != 0); err != nil {
		return ioError(fmt.Sprintf("bind UDP port %d", udp), err)
	}
	if n.tcp, err = cfg.network.ListenTCP(tcp, cfg.TCPPort != 0); err != nil {
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
	services := []Service{service}
	if !n.realm.Open() {
		services[0].Type = realmType
		if n.compat && cfg.Discovery == nil {
			services = append(services, service) // for nodes of 1.x
		}
	}
	backends := cfg.Discovery
	if backends == nil {
		for range services {
			backends = append(backends, MDNS())
		}
	}
	for i, b := range backends {
		if err := b.Start(env, services[min(i, len(services)-1)], sink{n, i}); err != nil {
			return ioError("start discovery", err)
		}
		started := slices.Clone(backends[:i+1])
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
	info := disco.Info{
		Name: n.AnnouncedName(), ID: disco.ID(n.id), TCPPort: n.TCPPort(), Version: Version,
		Native: disco.VersionsOf(versions...), Realm: n.realmTag(),
	}
	return info.TXT(n.UDPPort(), n.beat.Load())
}

// spawn runs f on a goroutine that Close waits for.
//
// These are the goroutines of a node:
//
//	read    one at a time    takes datagrams off the socket, and runs handlers that are quick; one that
//	                         turns out not to be keeps its reader, and another takes over
//	watch   one              sees to that
//	serve   Limits.Handlers  runs handlers, one at a time; up to maxIdle wait for the next
//	accept  one              takes TCP connections
//	refuse  maxStrangers     tells one TCP connection that nothing is served there
//	tend    one              liveness of peers, heartbeat for 1.x nodes
//
// Timers of sessions, handshakes and calls hold late while they run, and Close waits
// for them as well.
//
// Backends of discovery own theirs and end them in their Close.
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
	n.pending.Close(reply{code: CodeClosed})
	n.late.Unlock()
	n.shakes.close()
	for _, b := range n.discovery() {
		if err := b.Close(); err != nil {
			n.log.Warn("discovery did not close cleanly", "err", err)
		}
	}
	n.cancel()
	n.open.close()
	stuck := n.waitForHandlers()
	n.linger()
	for _, s := range n.sessions.list() {
		n.dropSession(s, CodeClosed, true)
	}
	err := errors.Join(n.conn.Close(), n.tcp.Close())
	if stuck > 0 {
		// Their goroutines cannot be ended, so there is nothing to wait for.
		return &Error{Code: CodeTimeout, Op: "close", Err: fmt.Errorf("%d handlers still run", stuck)}
	}
	n.leads.Lock() // waits for who reads in place of the reader
	n.wg.Wait()
	n.late.Lock() // waits for the last timer
	n.realm.Zero()
	n.identity.Zero()
	n.late.Unlock()
	n.leads.Unlock()
	n.log.Info("node closed")
	if err != nil {
		return ioError("close", err)
	}
	return nil
}

// lingerTime is how long Close waits until the peers have its last answers.
const lingerTime = 200 * time.Millisecond

// linger waits until what was answered has arrived, as far as peers still answer.
func (n *Node) linger() {
	tick := time.NewTicker(lingerTime / 100)
	defer tick.Stop()
	for range 100 {
		owes := false
		for _, s := range n.sessions.list() {
			owes = owes || s.stats().OwedReplies > 0 && s.answers(time.Now())
		}
		if !owes {
			return
		}
		<-tick.C
	}
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

// Fingerprint names the key of this node. It is new with each Start unless
// Config.StateDir is set.
func (n *Node) Fingerprint() Fingerprint { return Fingerprint(n.identity.Fingerprint()) }

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
	now := time.Now()
	for _, s := range n.sessions.list() { // we may be reached, and reach others, by another way now
		if p := s.peer.Load(); p != nil {
			s.ping(now, p.state.Load().Addrs)
		}
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
