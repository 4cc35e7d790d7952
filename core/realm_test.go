package peerlink

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerlink/peerlink/core/internal/legacy"
	"github.com/peerlink/peerlink/core/internal/simnet"
)

// A ledger counts what two hosts send each other.
type ledger struct {
	mu       sync.Mutex
	sent     map[netip.Addr]int
	json     map[netip.Addr]int
	examples [][]byte
}

func (w *world) ledger() *ledger {
	l := &ledger{sent: map[netip.Addr]int{}, json: map[netip.Addr]int{}}
	w.net.Tap(func(from, _ netip.AddrPort, p []byte) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.sent[from.Addr()] += len(p)
		if p[0] == '{' {
			l.json[from.Addr()]++
			l.examples = append(l.examples, bytes.Clone(p))
		}
	})
	return l
}

// read returns how many bytes and how many datagrams in JSON a host has sent.
func (l *ledger) read(a netip.Addr) (bytes, json int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent[a], l.json[a]
}

// Whoever lacks the secret lists nobody, calls nothing, and gets less than it sends.
func TestThreat_T1_OtherRealms(t *testing.T) {
	secret := NewSecret()
	for _, tt := range []struct {
		name     string
		stranger Config
	}{
		{"wrong secret", Config{Secret: NewSecret()}},
		{"no secret", Config{}},
		{"no secret, native only", Config{Compat: CompatOff}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(w *world) {
				l := w.ledger()
				b, b2 := w.found("10.0.0.2", "B", Config{Secret: secret}), w.found("10.0.0.4", "B2", Config{Secret: secret})
				handle(w.T, b, "echo", func(v []byte) []byte { w.Error("a stranger called"); return v })
				a := w.found("10.0.0.1", "A", tt.stranger)
				handle(w.T, a, "echo", func(v []byte) []byte { w.Error("a stranger was called"); return v })
				// As if all used one type of service.
				x, y := a.discovery()[0].(*airBackend), b.discovery()[0].(*airBackend)
				x.sink.Found(y.sighting())
				y.sink.Found(x.sighting())
				if p, err := b2.Peer("B"); err != nil || p.ID() != b.ID() {
					w.Fatalf("the realm is not together: %v, %v", p, err)
				}
				w.when(time.Second, "they greet", func() bool { p, _ := b2.Peer("B"); return p.Authenticated() })
				for _, n := range []*Node{a, b} {
					for p := range n.Peers() {
						if p.Name() != "B2" {
							w.Errorf("%s lists %v", n.Name(), p)
						}
					}
				}
				before, _ := l.read(ipB)
				begin, _ := l.read(ipA)
				w.cut(ipB, ip("10.0.0.4"), true) // what B sends now, it sends to A
				_ = b2.Close()
				time.Sleep(10 * time.Second)
				quiet, _ := l.read(ipB)
				toB := w.knows(a, b)
				for range 3 {
					if err := echo(toB, 3*time.Second, 10); !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrPeerNotFound) {
						w.Errorf("a call: %v", err)
					}
				}
				asked, _ := l.read(ipA)
				answered, json := l.read(ipB)
				if answered-quiet > asked-begin || asked == begin || json > 0 {
					w.Errorf("%d bytes for %d, %d of JSON (before %d)", answered-quiet, asked-begin, json, before)
				}
				if toB.Encrypted() || toB.Authenticated() {
					w.Error("there is a session")
				}
			})
		})
	}
}

// A node with a secret neither sends nor answers JSON, unless it was told to.
func TestThreat_T17_SecretRealmAndJSON(t *testing.T) {
	for name, compat := range map[string]Compat{"default": CompatDefault, "off": CompatOff, "on": CompatOn} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				l := w.ledger()
				b := w.node("10.0.0.2", "B", Config{Secret: NewSecret(), Compat: compat})
				var runs atomic.Int32
				handle(w.T, b, "f", func() { runs.Add(1) })
				// A 1.x node at 10.0.0.3: it answers whatever it is asked.
				old, err := w.net.Host(ipC).ListenUDP(5000, true)
				if err != nil {
					w.Fatal(err)
				}
				w.Cleanup(func() { _ = old.Close() })
				go func() {
					buf := make([]byte, 2000)
					for {
						k, from, err := old.ReadFromUDPAddrPort(buf)
						if err != nil {
							return
						}
						if m, err := legacy.Parse(buf[:k]); err == nil && m.Kind == legacy.Request {
							_, _ = old.WriteToUDPAddrPort(legacy.AppendResponse(nil, m.ID, []byte("1")), from)
						}
					}
				}()
				for _, r := range []string{`{"rpc":"f","id":"1"}`, `{"rpc":"__ping__","id":"2"}`, `{"rpc":"__ping__","id":"3","pl":1}`, `{"type":"request","rpc":"nope","id":4}`} {
					if _, err := old.WriteToUDPAddrPort([]byte(r), at(b)); err != nil {
						w.Fatal(err)
					}
				}
				p, err := b.AddPeer("old", netip.AddrPortFrom(ipC, 5000), 0)
				if err != nil {
					w.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(w.Context(), 2*time.Second)
				defer cancel()
				got, err := Call[int](ctx, p, "f")
				time.Sleep(20 * time.Second)
				_, json := l.read(ipB)
				switch allowed := compat == CompatOn; {
				case allowed && (err != nil || got != 1 || runs.Load() != 1 || json == 0):
					w.Errorf("told to speak JSON: %d, %v; %d runs, %d datagrams", got, err, runs.Load(), json)
				case !allowed && (err == nil || runs.Load() != 0 || json != 0):
					w.Errorf("a call gave %d, %v; %d runs; %d datagrams of JSON such as %.100q", got, err, runs.Load(), json, l.examples)
				}
			})
		})
	}
}

// Who was native once is not spoken to in JSON because somebody announces it so.
func TestThreat_T17_StrippedAnnouncement(t *testing.T) {
	for _, same := range []bool{true, false} {
		t.Run(map[bool]string{true: "same instance", false: "another instance"}[same], func(t *testing.T) {
			virtual(t, func(w *world) {
				a, b := w.found("10.0.0.1", "A", Config{}), w.found("10.0.0.2", "B", Config{})
				handle(w.T, b, "echo", func(v []byte) []byte { return v })
				w.mustEcho(mustPeer(w, a, "B"), time.Second, 1)
				l := w.ledger()
				true1 := b.discovery()[0].(*airBackend).sighting()
				forged := Sighting{Instance: "B", Addrs: true1.Addrs}
				for _, kv := range true1.TXT {
					if key, _, _ := strings.Cut(kv, "="); key != "pl" && (same || key != "instance_id") {
						forged.TXT = append(forged.TXT, kv)
					}
				}
				forger := w.rogue("10.0.0.66", "B", "")
				if !same {
					forged.Addrs = []netip.AddrPort{netip.AddrPortFrom(ip("10.0.0.66"), uint16(forgerPort(forger)))}
				}
				a.discovery()[0].(*airBackend).sink.Found(forged)
				synctest.Wait()
				p, err := a.Peer("B")
				if err != nil {
					w.Fatal(err)
				}
				err = echo(p, 2*time.Second, 10)
				if same && err != nil || !same && err == nil {
					w.Errorf("a call: %v", err)
				}
				if err := echoAsync(p); same != (err == nil) {
					w.Errorf("an asynchronous call: %v", err)
				}
				time.Sleep(time.Minute)
				if _, json := l.read(ipA); json > 0 {
					w.Errorf("%d datagrams of JSON, such as %.100q", json, l.examples)
				}
			})
		})
	}
}

func forgerPort(r *rogue) uint16 {
	return r.conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Port()
}

func echoAsync(p *Peer) error {
	done := make(chan error, 1)
	p.StartCall("echo", Payload{CBOR, cborArgs([]byte("x"))}, 2*time.Second, func(_ Payload, err error) { done <- err })
	return <-done
}

// A peer given by address that was native once stays so, whatever answers come in
// JSON.
func TestThreat_T17_ForgedAnswers(t *testing.T) {
	virtual(t, func(w *world) {
		a, b, toB := w.duo()
		w.mustEcho(toB, time.Second, 1)
		l := w.ledger()
		w.cut(ipA, ipB, true) // the attacker is in between
		for _, s := range a.sessions.list() {
			a.dropSession(s, CodeGone, false)
		}
		toB.resume.Store(nil)
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					l.mu.Lock()
					for _, p := range l.examples {
						if m, err := legacy.Parse(p); err == nil && m.Kind == legacy.Request {
							w.net.Partition(ipB, ipA, false)
							w.net.Inject(at(b), at(a), legacy.AppendResponse(nil, m.ID, []byte(`"forged"`)))
							w.net.Partition(ipB, ipA, true)
						}
					}
					l.mu.Unlock()
				}
			}
		}()
		err := echo(toB, 3*time.Second, 10)
		if err == nil {
			w.Error("a forged answer was taken")
		}
		time.Sleep(20 * time.Second)
		close(stop)
		if _, json := l.read(ipA); json > 0 {
			w.Errorf("%d datagrams of JSON, such as %.100q", json, l.examples)
		}
		if toB.speaks() != dialectNative {
			w.Error("it is not taken for native any more")
		}
		w.cut(ipA, ipB, false)
		w.mustEcho(toB, 5*time.Second, 10)
	})
}

// The first contact by address asks in JSON, which a native node answers by saying so.
func TestFault_FirstContactByAddress(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetFaults(simnet.Faults{Loss: 0.3, Delay: time.Millisecond})
		l := w.ledger()
		a, b, toB := w.duo()
		_, _ = a, b
		w.mustEcho(toB, 5*time.Second, 10)
		if !toB.Encrypted() || toB.Authenticated() || toB.Legacy() {
			w.Errorf("encrypted %v, authenticated %v, legacy %v", toB.Encrypted(), toB.Authenticated(), toB.Legacy())
		}
		if _, json := l.read(ipA); json == 0 || json > 20 {
			w.Errorf("%d questions in JSON", json)
		}
	})
}

// Only keys that are allowed get in, either way.
func TestThreat_T6_AllowedKeys(t *testing.T) {
	virtual(t, func(w *world) {
		secret := NewSecret()
		a, c := w.node("10.0.0.1", "A", Config{Secret: secret}), w.node("10.0.0.3", "C", Config{Secret: secret})
		b := w.node("10.0.0.2", "B", Config{Secret: secret, Allow: []Fingerprint{a.Fingerprint()}})
		handle(w.T, b, "echo", func(v []byte) []byte { return v })
		handle(w.T, c, "echo", func(v []byte) []byte { return v })
		toB := w.knows(a, b)
		w.mustEcho(toB, time.Second, 1)
		if !toB.Authenticated() || toB.Fingerprint() != b.Fingerprint() {
			w.Errorf("authenticated %v, key %v", toB.Authenticated(), toB.Fingerprint())
		}
		if err := echo(w.knows(c, b), time.Second, 1); !errors.Is(err, ErrUnauthenticated) {
			w.Errorf("a key that is not allowed called: %v", err)
		}
		if err := echo(w.knows(b, c), time.Second, 1); !errors.Is(err, ErrUnauthenticated) {
			w.Errorf("a key that is not allowed was called: %v", err)
		}
	})
}

// Nor does JSON, which has no keys, get around the list.
func TestThreat_T6_AllowedKeysInTheOpenRealm(t *testing.T) {
	virtual(t, func(w *world) {
		a := w.node("10.0.0.1", "A", Config{})
		b := w.node("10.0.0.2", "B", Config{Allow: []Fingerprint{{1}}})
		handle(w.T, b, "echo", func(v []byte) []byte { w.Error("called"); return v })
		toB := w.knows(a, b)
		if err := echo(toB, time.Second, 1); err == nil {
			w.Error("a key that is not allowed called")
		}
		toB.dialect.Store(dialectJSON)
		if err := echo(toB, time.Second, 1); err == nil {
			w.Error("somebody without a key called")
		}
	})
}

// While its owner is there, a name belongs to its key.
func TestThreat_T6_NameOfALivePeer(t *testing.T) {
	virtual(t, func(w *world) {
		secret := NewSecret()
		a, b := w.found("10.0.0.1", "A", Config{Secret: secret}), w.found("10.0.0.2", "B", Config{Secret: secret})
		handle(w.T, b, "echo", func(v []byte) []byte { return v })
		toB := mustPeer(w, a, "B")
		w.mustEcho(toB, time.Second, 1)
		thief := w.rogue("10.0.0.66", "B", secret)
		s := thief.shake(at(a), nil)
		s.send(call(1, pingFunc, nil))
		if f := s.reply(1); f != nil {
			w.Errorf("another node was taken for B: %v", f)
		}
		if p, err := a.Peer("B"); err != nil || p != toB {
			w.Errorf("%v, %v", p, err)
		}
		w.mustEcho(toB, time.Second, 1)
		w.cut(ipA, ipB, true)
		time.Sleep(10 * time.Second)
		s = thief.shake(at(a), nil) // now nobody owns it
		s.send(call(1, pingFunc, nil))
		if f := s.reply(1); f == nil {
			w.Error("the name stays with a node that is gone")
		}
	})
}
