package peerlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// loopback keeps tests on the machine.
func loopback() ([]Interface, error) {
	list, err := SystemInterfaces()
	if err != nil {
		return nil, err
	}
	var out []Interface
	for _, i := range list {
		if i.Flags&net.FlagLoopback != 0 {
			out = append(out, i)
		}
	}
	return out, nil
}

// start starts a node on loopback that the test ends.
func start(t *testing.T, cfg Config) *Node {
	t.Helper()
	cfg.Interfaces = loopback
	if testing.Verbose() {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close %s: %v", n.Name(), err)
		}
	})
	return n
}

// alone is a node without discovery.
func alone(t *testing.T, name string) *Node {
	t.Helper()
	return start(t, Config{Name: name, Discovery: []Discovery{}})
}

// addr is where a node of this machine is reached.
func addr(n *Node) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), n.UDPPort())
}

// introduce makes b known to a, without discovery.
func introduce(t *testing.T, a, b *Node) *Peer {
	t.Helper()
	p, err := a.AddPeer(b.Name(), addr(b), b.TCPPort())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pair is two nodes that know each other by address.
func pair(t *testing.T) (a, b *Node, toB *Peer) {
	t.Helper()
	a, b = alone(t, "Phone2"), alone(t, "Phone1")
	introduce(t, b, a)
	return a, b, introduce(t, a, b)
}

func handle(t *testing.T, n *Node, name string, fn any) {
	t.Helper()
	if err := n.Handle(name, fn); err != nil {
		t.Fatal(err)
	}
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// discoveries are those that nodes of this machine find each other by.
var discoveries = map[string]func() Discovery{"mdns": MDNS}

func TestTwoNodesFindEachOtherAndCall(t *testing.T) {
	for name, discovery := range discoveries {
		t.Run(name, func(t *testing.T) {
			one := start(t, Config{Name: "Phone1", Discovery: []Discovery{discovery()}})
			handle(t, one, "add", func(a, b int) int { return a + b })
			two := start(t, Config{Name: "Phone2", Discovery: []Discovery{discovery()}})
			handle(t, two, "name", func(ctx context.Context) string {
				c, _ := CallerFrom(ctx)
				return "Phone2 called by " + c.Name
			})
			ctx := soon(t)
			p1, err := two.WaitPeer(ctx, "Phone1")
			if err != nil {
				t.Fatal(err)
			}
			if sum, err := Call[int](ctx, p1, "add", 25, 17); err != nil || sum != 42 {
				t.Errorf("add = %d, %v", sum, err)
			}
			p2, err := one.WaitPeer(ctx, "phone2")
			if err != nil {
				t.Fatal(err)
			}
			if s, err := Call[string](ctx, p2, "name"); err != nil || s != "Phone2 called by Phone1" {
				t.Errorf("name = %q, %v", s, err)
			}
		})
	}
}

func TestCallsWithoutDiscovery(t *testing.T) {
	_, b, toB := pair(t)
	handle(t, b, "echo", func(v any) any { return v })
	for _, v := range []any{int64(1), 1.0, "héllo", nil, true, []any{int64(1), "x"}, map[string]any{"k": 2.5}} {
		var got any
		if err := toB.Call(t.Context(), &got, "echo", v); err != nil {
			t.Errorf("%v: %v", v, err)
		} else if fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", v, v) {
			t.Errorf("sent %T %v, got %T %v", v, v, got, got)
		}
	}
}

func TestPing(t *testing.T) {
	_, _, toB := pair(t)
	if err := toB.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if toB.RTT() <= 0 {
		t.Error("no round-trip time")
	}
}

func TestErrorsHaveCodes(t *testing.T) {
	a, b, toB := pair(t)
	old, err := a.AddPeer("old", addr(b), 0)
	if err != nil {
		t.Fatal(err)
	}
	old.dialect.Store(dialectJSON)
	handle(t, b, "fail", func() error { return &RemoteError{"ValueError", "boom é"} })
	handle(t, b, "plain", func() error { return errors.New("no luck") })
	handle(t, b, "panic", func() { panic("oops") })
	handle(t, b, "bytes", func() []byte { return []byte("x") })
	handle(t, b, "add", func(x, y int) int { return x + y })
	handle(t, b, "size", func(s string) int { return len(s) })
	handle(t, b, "big", func() string { return strings.Repeat("x", 1200) })
	for _, tt := range []struct {
		fn   string
		args []any
		code Code
		text string
		old  Code // in the 1.x dialect
	}{
		{"fail", nil, CodeRemote, "ValueError: boom é", CodeRemote},
		{"plain", nil, CodeRemote, "Error: no luck", CodeRemote},
		{"panic", nil, CodeRemote, "Panic: oops", CodeRemote},
		{"bytes", nil, 0, "TypeError: Object of type bytes is not JSON serializable", CodeRemote},
		{"nope", nil, CodeNoHandler, "No function 'nope' registered", CodeRemote},
		{"add", []any{1}, CodeRemote, "TypeError: add() takes 2 arguments, 1 given", CodeRemote},
		{"add", []any{1, "x"}, CodeRemote, "TypeError: add() argument 2: ", CodeRemote},
		{"add", []any{1, 2, Kwargs{"z": 1}}, CodeRemote, "TypeError: add() takes no keyword arguments", CodeRemote},
		{"add", []any{make(chan int)}, CodeInvalid, "chan int", CodeInvalid},
		{"big", nil, 0, "RPC result too large (12", CodeRemote},
		{"size", []any{strings.Repeat("x", 1200)}, 0, "bytes exceeds MAX_SAFE_UDP_PAYLOAD (1200) to avoid IP fragmentation", CodeTooLarge},
	} {
		t.Run(tt.fn, func(t *testing.T) {
			for p, code := range map[*Peer]Code{toB: tt.code, old: tt.old} {
				err := p.Call(t.Context(), nil, tt.fn, tt.args...)
				if CodeOf(err) != code || err != nil && !strings.Contains(fmt.Sprint(err), tt.text) {
					t.Errorf("got code %d, %v; want %d, %q", CodeOf(err), err, code, tt.text)
				}
			}
		})
	}
	if left := a.pending.Len(); left != 0 {
		t.Errorf("%d calls still pending", left)
	}
}

func TestPeerLookup(t *testing.T) {
	a := alone(t, "A")
	for i, name := range []string{"Phone1", "Phone10", "tablet", "Tablet"} {
		if _, err := a.AddPeer(name, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(9+i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, want string
		err        error
	}{
		{"Phone1", "Phone1", nil},
		{"PHONE1", "Phone1", nil},
		{"Phone", "", ErrPeerNotFound},
		{"", "", ErrPeerNotFound},
		{"tablet", "tablet", nil},
		{"TABLET", "", ErrAmbiguous},
		{"A", "", ErrPeerNotFound},
	} {
		p, err := a.Peer(tt.name)
		if !errors.Is(err, tt.err) || (err == nil && p.Name() != tt.want) {
			t.Errorf("%q: %v, %v", tt.name, p, err)
		}
	}
}

func TestTimeoutAndCancel(t *testing.T) {
	_, b, toB := pair(t)
	handle(t, b, "slow", func(ctx context.Context) { <-ctx.Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := toB.Call(ctx, nil, "slow")
	if !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := toB.Call(ctx, nil, "slow"); !errors.Is(err, ErrCanceled) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v", err)
	}
}

func TestCloseFailsWhatIsPending(t *testing.T) {
	a, b, toB := pair(t)
	entered := make(chan struct{})
	handle(t, b, "slow", func(ctx context.Context) { close(entered); <-ctx.Done() })
	failed := make(chan error)
	go func() { failed <- toB.Call(t.Context(), nil, "slow") }()
	<-entered
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("pending call: %v", err)
	}
	if err := toB.Call(t.Context(), nil, "slow"); !errors.Is(err, ErrClosed) {
		t.Errorf("call after close: %v", err)
	}
}

func netAddr(port uint16) string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(port)) }

// Both are reached, and neither name is ambiguous. Who keeps it is for the mdns
// package to say and to test: here both start at nearly the same moment.
func TestTwoNodesOfOneNameOnTheNetwork(t *testing.T) {
	first := start(t, Config{Name: "Twin", Discovery: []Discovery{MDNS()}})
	second := start(t, Config{Name: "Twin", Discovery: []Discovery{MDNS()}})
	watcher := start(t, Config{Name: "Watcher", Discovery: []Discovery{MDNS()}})
	both := map[ID]bool{first.ID(): true, second.ID(): true}
	for _, name := range []string{"Twin (2)", "Twin"} {
		p, err := watcher.WaitPeer(soon(t), name)
		if err != nil {
			t.Fatal(err)
		}
		if !both[p.ID()] {
			t.Errorf("%s is neither of the two that are left", name)
		}
		delete(both, p.ID())
	}
}
