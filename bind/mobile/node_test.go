package peerlink

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// reply collects the outcome of a Call.
type reply struct {
	t    *testing.T
	done chan string
	err  error // what OnReply and OnFail return
}

func newReply(t *testing.T) *reply { return &reply{t: t, done: make(chan string, 2)} }

func (r *reply) OnReply(cbor []byte) error { r.done <- "reply " + decode(r.t, cbor); return r.err }

func (r *reply) OnFail(code int32, message string) error {
	if code < CodeInternal || code > CodeGone {
		r.t.Errorf("failed with code %d", code)
	}
	r.done <- "fail " + message
	return r.err
}

func wantCode(t *testing.T, err error, code int32) {
	t.Helper()
	if err == nil || ErrorCode(err.Error()) != code {
		t.Errorf("error %v, want code %d", err, code)
	}
}

func TestCallsBothWays(t *testing.T) {
	p1, p2 := pair(t)
	p2.handle(t, "where", func(n *Node, e *Event) error {
		if e.PeerName() != "Phone1" || e.PeerID() == "" {
			t.Errorf("event %+v", e)
		}
		return n.Reply(e.CallID(), encode(t, `"on the table"`))
	})
	res, err := p2.CallSync("Phone1", "add", encode(t, "[25,17]"), 0)
	if err != nil || decode(t, res) != "42" {
		t.Fatalf("add = %x, %v", res, err)
	}
	r := newReply(t)
	if id := p1.Call("Phone2", "where", nil, 5000, r); id <= 0 {
		t.Errorf("call ID %d", id)
	}
	expect(t, r.done, `reply "on the table"`)

	list := p1.Peers()
	if list.Len() != 1 || list.At(0).Name() != "Phone2" || list.At(1) != nil || list.At(-1) != nil {
		t.Fatalf("peers %+v", list)
	}
	if err := p2.Stop(1000); err != nil {
		t.Fatal(err)
	}
	if e := p1.want(t, EventPeerDown); e.Detail() != "removed" || e.PeerName() != "Phone2" {
		t.Errorf("event %+v", e)
	}
	p2.want(t, EventStopped)
	_, err = p2.CallSync("Phone1", "add", nil, 0)
	wantCode(t, err, CodeClosed)
}

func TestErrorsOfCalls(t *testing.T) {
	p1, p2 := pair(t)
	p1.handle(t, "refuse", func(n *Node, e *Event) error {
		return n.ReplyError(e.CallID(), "ValueError", "not today")
	})
	p1.handle(t, "throw", func(*Node, *Event) error { return errors.New("thrown") })
	p1.handle(t, "panic", func(*Node, *Event) error { panic("oops") })
	p1.handle(t, "null", func(n *Node, e *Event) error { return n.Reply(e.CallID(), nil) })
	p1.handle(t, "twice", func(n *Node, e *Event) error {
		if err := n.Reply(e.CallID(), encode(t, "1")); err != nil {
			t.Error(err)
		}
		wantCode(t, n.Reply(e.CallID(), encode(t, "2")), CodeInvalid)
		return errors.New("after the answer")
	})
	tests := []struct {
		peer, function, text string
		code                 int32
	}{
		{"Phone1", "refuse", "ValueError: not today", CodeRemote},
		{"Phone1", "throw", "thrown", CodeRemote},
		{"Phone1", "panic", "oops", CodeRemote},
		{"Phone1", "missing", "missing", 0},
		{"Phone9", "add", "Phone9", CodePeerNotFound},
	}
	for _, tt := range tests {
		_, err := p2.CallSync(tt.peer, tt.function, nil, 5000)
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s on %s: %v, want %q", tt.function, tt.peer, err, tt.text)
		} else if tt.code != 0 {
			wantCode(t, err, tt.code)
		}
		r := newReply(t)
		p2.Call(tt.peer, tt.function, nil, 5000, r)
		if got := next(t, r.done); !strings.HasPrefix(got, "fail ") || strings.Contains(got, "(code") {
			t.Errorf("%s on %s: %q", tt.function, tt.peer, got)
		}
	}
	if res, err := p2.CallSync("Phone1", "null", nil, 0); err != nil || decode(t, res) != "null" {
		t.Errorf("null = %x, %v", res, err)
	}
	if res, err := p2.CallSync("Phone1", "twice", nil, 0); err != nil || decode(t, res) != "1" {
		t.Errorf("twice = %x, %v", res, err)
	}
}

func TestTimeoutCancelAndLateReply(t *testing.T) {
	p1, p2 := pair(t)
	if err := p1.Register("slow"); err != nil {
		t.Fatal(err)
	}
	_, err := p2.CallSync("Phone1", "slow", nil, 50)
	wantCode(t, err, CodeTimeout)
	p1.want(t, EventCall)

	r := newReply(t)
	id := p2.Call("Phone1", "slow", nil, 60_000, r)
	e := p1.want(t, EventCall)
	p2.Cancel(id)
	if got := next(t, r.done); !strings.Contains(got, "cancel") {
		t.Errorf("canceled call: %q", got)
	}
	p2.Cancel(id)
	_ = p1.Reply(e.CallID(), nil) // may come in time or not: nobody hears it
	p1.Unregister("slow")
	_, err = p2.CallSync("Phone1", "slow", nil, 5000)
	if err == nil || ErrorCode(err.Error()) == CodeTimeout {
		t.Errorf("unregistered function: %v", err)
	}
}

func TestStopFailsCallsUnderWay(t *testing.T) {
	p1, p2 := pair(t)
	if err := p1.Register("slow"); err != nil {
		t.Fatal(err)
	}
	r := newReply(t)
	r.err = errors.New("thrown by the handler")
	p2.Call("Phone1", "slow", nil, 60_000, r)
	e := p1.want(t, EventCall)
	if err := p2.Stop(0); err != nil {
		t.Fatal(err)
	}
	if got := next(t, r.done); !strings.HasPrefix(got, "fail ") {
		t.Errorf("%q", got)
	}
	p2.want(t, EventStopped)

	// The caller is gone, and its call with it.
	if err := p1.Stop(60_000); err != nil {
		t.Fatal(err)
	}
	wantCode(t, p1.Reply(e.CallID(), nil), CodeInvalid)
}

func TestStopCutsOffWhatIsNotAnswered(t *testing.T) {
	p1, p2 := pair(t)
	if err := p1.Register("slow"); err != nil {
		t.Fatal(err)
	}
	failed := make(chan int32, 1)
	p2.Call("Phone1", "slow", nil, 60_000, codeOnly(failed))
	e := p1.want(t, EventCall)
	start := time.Now()
	if err := p1.Stop(30); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d < 20*time.Millisecond {
		t.Errorf("Stop waited %v for an unanswered call, want 30ms", d)
	}
	if code := next(t, (<-chan int32)(failed)); code != CodeGone && code != CodeRemote {
		t.Errorf("cut off with code %d", code)
	}
	wantCode(t, p1.Reply(e.CallID(), nil), CodeInvalid)
}

// codeOnly gets the codes of failed calls.
type codeOnly chan int32

func (c codeOnly) OnReply([]byte) error { c <- 0; return nil }

func (c codeOnly) OnFail(code int32, _ string) error { c <- code; return nil }

func TestStopWaitsForAnswers(t *testing.T) {
	p1, p2 := pair(t)
	if err := p1.Register("slow"); err != nil {
		t.Fatal(err)
	}
	r := newReply(t)
	p2.Call("Phone1", "slow", nil, 60_000, r)
	e := p1.want(t, EventCall)
	stopped := make(chan error)
	go func() { stopped <- p1.Stop(60_000) }()
	if err := p1.Reply(e.CallID(), encode(t, "7")); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	expect(t, r.done, "reply 7")
}

func TestAnyMethodFromInsideOnEvent(t *testing.T) {
	p1, p2 := pair(t)
	p2.handle(t, "back", func(n *Node, e *Event) error {
		if n.Peers().Len() != 1 {
			t.Error("no peers")
		}
		if err := n.Register("more"); err != nil {
			t.Error(err)
		}
		n.Unregister("more")
		n.NetworkChanged()
		res, err := n.CallSync("Phone1", "add", encode(t, "[1,2]"), 5000)
		if err != nil {
			return err
		}
		if err := n.Reply(e.CallID(), res); err != nil {
			return err
		}
		return n.Stop(0)
	})
	res, err := p1.CallSync("Phone2", "back", nil, 10_000)
	if err != nil || decode(t, res) != "3" {
		t.Fatalf("back = %x, %v", res, err)
	}
	p2.want(t, EventStopped)
}

func TestStartAgain(t *testing.T) {
	p1, p2 := pair(t)
	for range 3 {
		if err := p1.Start(); err != nil {
			t.Fatalf("Start while running: %v", err)
		}
		if err := p1.Stop(0); err != nil {
			t.Fatal(err)
		}
		p1.want(t, EventStopped)
		p2.want(t, EventPeerDown)
		p1.start(t)
		p1.want(t, EventPeerUp)
		p2.want(t, EventPeerUp)
		if res, err := p2.CallSync("Phone1", "add", encode(t, "[25,17]"), 0); err != nil || decode(t, res) != "42" {
			t.Fatalf("add = %x, %v", res, err)
		}
	}
}

func TestAddPeer(t *testing.T) {
	p1, p2 := newPhone(t, new(lan), "Phone1"), newPhone(t, new(lan), "Phone2")
	p1.start(t)
	p2.start(t)
	p1.handle(t, "one", func(n *Node, e *Event) error { return n.Reply(e.CallID(), encode(t, "1")) })
	if err := p2.AddPeer("Phone1", "127.0.0.1", p1.Port()); err != nil {
		t.Fatal(err)
	}
	if res, err := p2.CallSync("Phone1", "one", nil, 0); err != nil || decode(t, res) != "1" {
		t.Fatalf("one = %x, %v", res, err)
	}
	wantCode(t, p2.AddPeer("x", "not an address", 1), CodeInvalid)
	wantCode(t, p2.AddPeer("x", "127.0.0.1", 0), CodeInvalid)
}

// countingLock fails the test if it is not used in pairs.
type countingLock struct {
	mu          sync.Mutex
	held, locks int
	err         error
}

func (l *countingLock) Lock() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.held++
		l.locks++
	}
	return l.err
}

func (l *countingLock) Unlock() error { l.mu.Lock(); defer l.mu.Unlock(); l.held--; return nil }

func TestMulticastLock(t *testing.T) {
	lock := &countingLock{}
	p := newPhone(t, new(lan), "Phone1")
	p.cfg.SetMulticastLock(lock)
	p.start(t)
	if lock.held != 1 {
		t.Errorf("held %d times while running", lock.held)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { p.Stop(0) })
	}
	wg.Wait()
	p.want(t, EventStopped)
	if lock.held != 0 || lock.locks != 1 {
		t.Errorf("held %d times after Stop, locked %d times", lock.held, lock.locks)
	}

	p.cfg.name = "" // Start fails
	wantCode(t, p.Start(), CodeInvalid)
	if lock.held != 0 || lock.locks != 2 {
		t.Errorf("held %d times after a failed Start, locked %d times", lock.held, lock.locks)
	}

	p.cfg.name = "Phone1"
	lock.err = errors.New("denied")
	p.start(t)
	p.Stop(0)
	if lock.held != 0 {
		t.Errorf("a lock that was not held was unlocked")
	}
}

func TestTooManyCalls(t *testing.T) {
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p := newPhone(t, new(lan), "Phone1")
	p.start(t)
	if err := p.AddPeer("Silent", "127.0.0.1", int32(silent.LocalAddr().(*net.UDPAddr).Port)); err != nil {
		t.Fatal(err)
	}
	r := &reply{t: t, done: make(chan string, maxCalls+1)}
	for range maxCalls {
		p.Call("Silent", "f", nil, 60_000, r)
	}
	tooMany := newReply(t)
	if id := p.Call("Silent", "f", nil, 60_000, tooMany); id != 0 {
		t.Errorf("one call too many got ID %d", id)
	}
	expect(t, tooMany.done, "fail call: overloaded")
	_, err = p.CallSync("Silent", "f", nil, 60_000)
	wantCode(t, err, CodeOverloaded)
	p.Stop(0)
	for range maxCalls {
		if got := next(t, r.done); !strings.HasPrefix(got, "fail ") {
			t.Fatal(got)
		}
	}
}

func TestRegisterAtAnyTime(t *testing.T) {
	p := newPhone(t, new(lan), "Phone1")
	wantCode(t, p.Register(""), CodeInvalid)
	if err := p.Register("before"); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	if err := p.Register("before"); err != nil {
		t.Errorf("registering again: %v", err)
	}
	if err := p.Register("after"); err != nil {
		t.Error(err)
	}
}

func TestJSON(t *testing.T) {
	for text, want := range map[string]string{
		`[25,17]`:        `[25, 17]`,
		`[25,17]{"k":1}`: `[25, 17]{"k": 1}`,
		`[]`:             `[]`,
		`"\u00e9é\n😀"`:   `"\u00e9\u00e9\n\ud83d\ude00"`,
		`null`:           `null`,
		`1.0`:            `1.0`,
		`{"a": [true]}`:  `{"a": [true]}`,
	} {
		if got := decode(t, encode(t, text)); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", " ", "[", "[1,]", "\x00"} {
		_, err := EncodeJSON(text)
		wantCode(t, err, CodeInvalid)
	}
	for _, cbor := range [][]byte{nil, {0x18}, {0x41, 'x'}, {0xff}} {
		_, err := DecodeJSON(cbor)
		wantCode(t, err, CodeInvalid)
	}
}

func TestLargeArgumentsAndResults(t *testing.T) {
	p1, p2 := pair(t)
	p1.handle(t, "echo", func(n *Node, e *Event) error { return n.Reply(e.CallID(), e.Data()) })
	for _, size := range []int{1200, 64 << 10, 1 << 20} {
		args := encode(t, `["`+strings.Repeat("x", size)+`"]`)
		if res, err := p2.CallSync("Phone1", "echo", args, 20_000); err != nil || string(res) != string(args) {
			t.Errorf("%d bytes came back as %d, %v", len(args), len(res), err)
		}
	}
	_, err := p2.CallSync("Phone1", "echo", make([]byte, 16<<20+1), 0)
	wantCode(t, err, CodeTooLarge)
	if res, err := p2.CallSync("Phone1", "echo", nil, 0); err != nil || decode(t, res) != "[]" {
		t.Errorf("no arguments = %x, %v", res, err)
	}
}

func TestWaitsForCanceledCalls(t *testing.T) {
	p1, p2 := pair(t)
	if err := p1.Register("slow"); err != nil {
		t.Fatal(err)
	}
	r := newReply(t)
	id := p2.Call("Phone1", "slow", nil, 60_000, r)
	e := p1.want(t, EventCall)
	if !p1.Waits(e.CallID()) {
		t.Error("nobody waits for a call that has just come")
	}
	p2.Cancel(id)
	for end := time.Now().Add(10 * time.Second); p1.Waits(e.CallID()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a canceled call is waited for")
		}
	}
	wantCode(t, p1.Reply(e.CallID(), nil), CodeInvalid)
}

func TestRealms(t *testing.T) {
	l, secret := new(lan), NewSecret()
	if len(secret) != 48 || secret == NewSecret() {
		t.Fatalf("secret %q", secret)
	}
	var lines logLines
	with := func(name, secret string) *phone {
		p := newPhone(t, l, name)
		p.cfg.SetSecret(secret)
		p.cfg.SetLogger(&lines)
		p.start(t)
		return p
	}
	p1 := newPhone(t, l, "Phone1")
	p1.cfg.SetSecret(secret)
	p1.cfg.SetStateDir(t.TempDir())
	proved := make(chan bool, 10)
	p1.handle(t, "who", func(n *Node, e *Event) error {
		proved <- e.Authenticated()
		return n.Reply(e.CallID(), encode(t, `"me"`))
	})
	p1.start(t)
	key := p1.Fingerprint()
	p2, stranger, other := with("Phone2", secret), with("Stranger", ""), with("Other", NewSecret())
	p1.want(t, EventPeerUp)
	p2.want(t, EventPeerUp)
	if res, err := p2.CallSync("Phone1", "who", nil, 0); err != nil || decode(t, res) != `"me"` || !<-proved {
		t.Fatalf("who = %x, %v", res, err)
	}
	if peer := p2.Peers().At(0); !peer.Encrypted() || !peer.Authenticated() || peer.Legacy() || peer.Fingerprint() != key || len(key) != 64 || peer.Loss() > 1 {
		t.Errorf("peer %+v, want key %s", peer, key)
	}
	for _, p := range []*phone{stranger, other} {
		if n := p.Peers().Len(); n != 0 {
			t.Errorf("%s sees %d peers", p.cfg.name, n)
		}
		if err := p.AddPeer("Phone1", "127.0.0.1", p1.Port()); err != nil {
			t.Fatal(err)
		}
		_, err := p.CallSync("Phone1", "who", nil, 300)
		wantCode(t, err, CodeTimeout)
	}
	if err := p1.Stop(0); err != nil {
		t.Fatal(err)
	}
	p1.want(t, EventStopped)
	p1.start(t)
	if p1.Fingerprint() != key {
		t.Error("the key did not survive a restart")
	}

	damaged := newPhone(t, l, "Damaged")
	damaged.cfg.SetSecret("plk1_damaged-top-secret")
	err := damaged.Start()
	wantCode(t, err, CodeInvalid)
	if strings.Contains(err.Error(), "top-secret") || strings.Contains(lines.text(), "plk1_") {
		t.Errorf("a secret was told: %v, %s", err, lines.text())
	}
}

// logLines is a Logger.
type logLines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *logLines) Log(_ int32, line string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.WriteString(line + "\n")
	return nil
}

func (l *logLines) text() string { l.mu.Lock(); defer l.mu.Unlock(); return l.all.String() }

func TestAllowLegacy(t *testing.T) {
	request := []byte(`{"type":"request","id":"7","src":"old","rpc":"__ping__","args":[],"kwargs":{}}`)
	tests := []struct {
		secret  string
		set     func(*Config)
		answers bool
	}{
		{"", func(*Config) {}, true},
		{"", func(c *Config) { c.SetAllowLegacy(false) }, false},
		{"secret", func(*Config) {}, false},
		{"secret", func(c *Config) { c.SetAllowLegacy(true) }, true},
	}
	for _, tt := range tests {
		p := newPhone(t, new(lan), "Phone1")
		p.cfg.SetSecret(tt.secret)
		tt.set(&p.cfg)
		p.start(t)
		conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(p.Port())})
		if err != nil {
			t.Fatal(err)
		}
		wait := 5 * time.Second
		if !tt.answers {
			wait = 200 * time.Millisecond
		}
		_ = conn.SetDeadline(time.Now().Add(wait))
		_, _ = conn.Write(request)
		if n, _ := conn.Read(make([]byte, 2000)); (n > 0) != tt.answers {
			t.Errorf("secret %q: %d bytes of answer, want one: %v", tt.secret, n, tt.answers)
		}
		conn.Close()
		p.Stop(0)
	}
}
