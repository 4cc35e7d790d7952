package peerlink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lan is discovery in memory: what one of its backends announces, all others see.
type lan struct {
	mu       sync.Mutex
	backends []*lanBackend
}

type lanBackend struct {
	lan  *lan
	self Service
	sink DiscoverySink

	mu          sync.Mutex
	updates     [][]string
	reconfirmed []string
}

func (l *lan) join() *lanBackend {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &lanBackend{lan: l}
	l.backends = append(l.backends, b)
	return b
}

func (l *lan) others(b *lanBackend) []*lanBackend {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*lanBackend
	for _, o := range l.backends {
		if o != b && o.sink != nil {
			out = append(out, o)
		}
	}
	return out
}

func (b *lanBackend) sighting() Sighting {
	return Sighting{Instance: b.self.Instance, TXT: b.self.TXT,
		Addrs: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), b.self.Port)}}
}

func (b *lanBackend) Start(_ DiscoveryEnv, self Service, sink DiscoverySink) error {
	b.lan.mu.Lock()
	b.self, b.sink = self, sink
	b.lan.mu.Unlock()
	for _, o := range b.lan.others(b) {
		if !self.Hidden {
			o.sink.Found(b.sighting())
		}
		if !o.self.Hidden {
			sink.Found(o.sighting())
		}
	}
	return nil
}

func (b *lanBackend) Update(txt []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.updates = append(b.updates, txt)
}

func (b *lanBackend) Reconfirm(instance string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reconfirmed = append(b.reconfirmed, instance)
}

func (b *lanBackend) NetworkChanged() {}

func (b *lanBackend) Close() error {
	b.vanish(Removed)
	return nil
}

// vanish takes b off the network.
func (b *lanBackend) vanish(why DownReason) {
	others := b.lan.others(b)
	b.lan.mu.Lock()
	gone := b.sink == nil
	b.sink = nil
	b.lan.mu.Unlock()
	if gone {
		return
	}
	for _, o := range others {
		o.sink.Lost(b.self.Instance, why)
	}
}

// reader reads events one at a time.
type eventReader struct {
	t    *testing.T
	next func() (Event, bool)
}

func read(t *testing.T, n *Node) eventReader {
	t.Helper()
	next, stop := iter.Pull(n.Events(soon(t)))
	t.Cleanup(stop)
	return eventReader{t, next}
}

func (r eventReader) want(want string) Event {
	r.t.Helper()
	e, ok := r.next()
	if !ok {
		r.t.Fatalf("no event, want %q", want)
	}
	got := fmt.Sprintf("%s %s", e.Peer.Name(), e.Kind)
	if e.Kind == PeerDown {
		got += " " + string(e.Reason)
	}
	if got != want {
		r.t.Fatalf("event %q, want %q", got, want)
	}
	return e
}

func TestEventsTellTheLifeOfAPeer(t *testing.T) {
	var l lan
	events := read(t, start(t, Config{Name: "watcher", Discovery: []Discovery{l.join()}}))

	first := l.join()
	one := start(t, Config{Name: "Phone1", Discovery: []Discovery{first}})
	up := events.want("Phone1 up")
	if up.Peer.ID() != one.ID() || up.Peer.Addr() != addr(one) || up.Peer.Legacy() {
		t.Errorf("%v %v %v", up.Peer.ID(), up.Peer.Addr(), up.Peer.Legacy())
	}

	// A restart that discovery tells before the old node was missed.
	second := l.join()
	two := start(t, Config{Name: "Phone1", Discovery: []Discovery{second}})
	e := events.want("Phone1 replaced")
	if e.Old != up.Peer || e.Peer.ID() != two.ID() {
		t.Errorf("old %p, want %p; new %v, want %v", e.Old, up.Peer, e.Peer.ID(), two.ID())
	}

	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	events.want("Phone1 down removed")
	_ = first

	third := l.join()
	three := start(t, Config{Name: "Phone3", Discovery: []Discovery{third}})
	up = events.want("Phone3 up")
	if err := up.Peer.Ping(soon(t)); err != nil {
		t.Error(err)
	}
	third.vanish(Expired) // which says nothing while it answers
	if err := three.Close(); err != nil {
		t.Fatal(err)
	}
	events.want("Phone3 down removed") // it said so itself
}

func TestHiddenNodesCallButAreNotFound(t *testing.T) {
	var l lan
	open := start(t, Config{Name: "open", Discovery: []Discovery{l.join()}})
	handle(t, open, "who", func(ctx context.Context) string { c, _ := CallerFrom(ctx); return c.Name })
	hidden := start(t, Config{Name: "hidden", Hidden: true, Discovery: []Discovery{l.join()}})
	p, err := hidden.WaitPeer(soon(t), "open")
	if err != nil {
		t.Fatal(err)
	}
	if name, err := Call[string](soon(t), p, "who"); err != nil || name != "hidden" {
		t.Errorf("%q, %v", name, err)
	}
	if _, err := open.Peer("hidden"); !errors.Is(err, ErrPeerNotFound) {
		t.Errorf("the hidden node was found: %v", err)
	}
}

// A peer that is gone without a goodbye, and whose discovery does not notice, is
// found out by pings; it is back when it answers.
func TestSilentPeerExpiresAndComesBack(t *testing.T) {
	a := alone(t, "A")
	events := read(t, a)
	mute, err := net.ListenPacket("udp4", "127.0.0.1:0") // takes pings and does not answer
	if err != nil {
		t.Fatal(err)
	}
	port := mute.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	if _, err := a.AddPeer("B", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), 0); err != nil {
		t.Fatal(err)
	}
	events.want("B up")
	events.want("B down expired")
	if _, err := a.Peer("B"); err != nil {
		t.Errorf("what the application gave is forgotten: %v", err)
	}
	mute.Close()
	start(t, Config{Name: "B", Discovery: []Discovery{}, UDPPort: port})
	events.want("B up")
}

func TestHeartbeatForLegacyPeersOnly(t *testing.T) {
	var l lan
	mine, other := l.join(), l.join()
	n := start(t, Config{Name: "A", Discovery: []Discovery{mine}})
	if anyLegacy(n.peers.all()) {
		t.Error("a legacy peer on an empty network")
	}
	sink{n, 0}.Found(Sighting{Instance: "old", Addrs: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")},
		TXT: []string{"node=old", "version=1.1.1"}})
	if !anyLegacy(n.peers.all()) {
		t.Error("a 1.1.1 node is not seen as one")
	}
	n.heartbeat()
	n.heartbeat()
	mine.mu.Lock()
	defer mine.mu.Unlock()
	if len(mine.updates) != 2 || fmt.Sprint(mine.updates[0]) == fmt.Sprint(mine.updates[1]) {
		t.Errorf("heartbeats %v", mine.updates)
	}
	_ = other
}

func TestTimeoutMakesDiscoveryAsk(t *testing.T) {
	var l lan
	mine := l.join()
	n := start(t, Config{Name: "A", Discovery: []Discovery{mine}})
	deaf, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	sink{n, 0}.Found(Sighting{Instance: "B", TXT: []string{"pl=1"},
		Addrs: []netip.AddrPort{deaf.LocalAddr().(*net.UDPAddr).AddrPort()}})
	p, err := n.WaitPeer(soon(t), "B")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.Call(ctx, nil, "f"); !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
	mine.mu.Lock()
	defer mine.mu.Unlock()
	if len(mine.reconfirmed) != 1 || mine.reconfirmed[0] != "B" {
		t.Errorf("asked for %v", mine.reconfirmed)
	}
}

func TestStartRejectsBadConfigs(t *testing.T) {
	taken := alone(t, "taken")
	for name, cfg := range map[string]Config{
		"no name":           {},
		"long name":         {Name: string(make([]byte, 64))},
		"control character": {Name: "a\nb"},
		"taken UDP port":    {Name: "A", UDPPort: taken.UDPPort()},
		"taken TCP port":    {Name: "A", TCPPort: taken.TCPPort()},
		"nil handler":       {Name: "A", Handlers: map[string]any{"f": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Discovery = []Discovery{}
			n, err := Start(t.Context(), cfg)
			if err == nil {
				n.Close()
				t.Fatal("it started")
			}
			if code := CodeOf(err); code != CodeInvalid && code != CodeIO {
				t.Errorf("code %d: %v", code, err)
			}
		})
	}
}

func TestWaitPeers(t *testing.T) {
	var l lan
	n := start(t, Config{Name: "A", Discovery: []Discovery{l.join()}})
	if err := n.WaitPeers(t.Context(), 0); err != nil {
		t.Errorf("none wanted: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := n.WaitPeers(ctx, 1); !errors.Is(err, ErrTimeout) {
		t.Errorf("nobody there: %v", err)
	}
	waited := make(chan error)
	go func() { waited <- n.WaitPeers(soon(t), 2) }()
	start(t, Config{Name: "B", Discovery: []Discovery{l.join()}})
	start(t, Config{Name: "C", Discovery: []Discovery{l.join()}})
	if err := <-waited; err != nil {
		t.Error(err)
	}
	go func() { waited <- n.WaitPeers(soon(t), 9) }()
	n.Close()
	if err := <-waited; !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// Who comes second gives way on the network, so that callers of the name reach the
// first; 1.x nodes go by the TXT record, so that must follow.
func TestATakenNameIsAnnouncedDifferently(t *testing.T) {
	var l lan
	mine := l.join()
	n := start(t, Config{Name: "A", Discovery: []Discovery{mine}})
	events := soon(t)
	sink{n, 0}.Renamed("A (2)")
	if n.Name() != "A" || n.AnnouncedName() != "A (2)" {
		t.Errorf("%q announced as %q", n.Name(), n.AnnouncedName())
	}
	for e := range n.Events(events) {
		if e.Kind != Renamed || e.Name != "A (2)" {
			t.Errorf("event %v %q", e.Kind, e.Name)
		}
		break
	}
	mine.mu.Lock()
	defer mine.mu.Unlock()
	if len(mine.updates) != 1 || mine.updates[0][0] != "node=A (2)" {
		t.Errorf("announced %v", mine.updates)
	}
}

func TestRenamedPeerIsFoundUnderItsNewName(t *testing.T) {
	var l lan
	mine, its := l.join(), l.join()
	n := start(t, Config{Name: "A", Discovery: []Discovery{mine}})
	events := read(t, n)
	b := start(t, Config{Name: "B", Discovery: []Discovery{its}})
	events.want("B up")
	waited := make(chan error)
	go func() { _, err := n.WaitPeer(soon(t), "B (2)"); waited <- err }()
	sink{b, 0}.Renamed("B (2)")
	sink{b, 0}.Renamed("B (2)") // once is enough
	s := its.sighting()
	s.TXT = its.updates[0]
	sink{n, 0}.Found(s)
	events.want("B down removed")
	events.want("B (2) up")
	if err := <-waited; err != nil {
		t.Error(err)
	}
	if len(its.updates) != 1 {
		t.Errorf("announced %d times", len(its.updates))
	}
}

func TestWaitPeerEnds(t *testing.T) {
	n := alone(t, "A")
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := n.WaitPeer(short, "B"); !errors.Is(err, ErrPeerNotFound) {
		t.Errorf("time-out: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.WaitPeer(gone, "B"); !errors.Is(err, ErrCanceled) || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	waited := make(chan error)
	go func() { _, err := n.WaitPeer(soon(t), "B"); waited <- err }()
	n.Close()
	if err := <-waited; !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// Multicast may fail where unicast works: who answers is not gone.
func TestPeerThatAnswersOutlivesItsRecords(t *testing.T) {
	var l lan
	mine, its := l.join(), l.join()
	n := start(t, Config{Name: "A", Discovery: []Discovery{mine}})
	b := start(t, Config{Name: "B", Discovery: []Discovery{its}})
	handle(t, b, "f", func() {})
	p, err := n.WaitPeer(soon(t), "B")
	if err != nil {
		t.Fatal(err)
	}
	sink{n, 0}.Lost("B", Expired)
	if err := p.Call(t.Context(), nil, "f"); err != nil {
		t.Errorf("a peer that answers: %v", err)
	}
	sink{n, 0}.Lost("B", Expired) // it is not listed there any more
	if _, err := n.Peer("B"); err != nil {
		t.Error(err)
	}
}

func TestHeartbeatForLegacyPeerThatWasAlsoGiven(t *testing.T) {
	var l lan
	n := start(t, Config{Name: "A", Discovery: []Discovery{l.join()}})
	old := netip.MustParseAddrPort("127.0.0.1:9")
	sink{n, 0}.Found(Sighting{Instance: "old", Addrs: []netip.AddrPort{old}, TXT: []string{"version=1.1.1"}})
	if _, err := n.AddPeer("old", old, 0); err != nil {
		t.Fatal(err)
	}
	if !anyLegacy(n.peers.all()) {
		t.Error("a 1.x node that was also given by the application gets no heartbeat")
	}
}

// reentrant is a log handler that asks the node something.
type reentrant struct {
	slog.Handler
	node *atomic.Pointer[Node]
}

func (r reentrant) Handle(context.Context, slog.Record) error {
	if n := r.node.Load(); n != nil {
		for range n.Peers() {
			break
		}
	}
	return nil
}
func (r reentrant) Enabled(context.Context, slog.Level) bool { return true }
func (r reentrant) WithAttrs([]slog.Attr) slog.Handler       { return r }

func TestLoggerMayUseTheNode(t *testing.T) {
	var node atomic.Pointer[Node]
	n, err := Start(t.Context(), Config{Name: "A", Discovery: []Discovery{}, Logger: slog.New(reentrant{node: &node})})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	node.Store(n)
	if _, err := n.AddPeer("B", netip.MustParseAddrPort("127.0.0.1:9"), 0); err != nil {
		t.Fatal(err)
	}
}
