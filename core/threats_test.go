package peerlink

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	mathrand "math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerlink/peerlink/core/internal/netio"
	"github.com/peerlink/peerlink/core/internal/seal"
	"github.com/peerlink/peerlink/core/internal/simnet"
	"github.com/peerlink/peerlink/core/internal/wire"
)

// A rogue speaks the protocol by hand, and heeds no limits.
type rogue struct {
	*world
	conn  netio.Conn
	id    *seal.Identity
	realm *seal.Realm
	name  string
	most  uint64 // what it says to take; 0 is nothing said
	in    chan datagram
}

type datagram struct {
	from netip.AddrPort
	b    []byte
}

func (w *world) rogue(host, name, secret string) *rogue {
	w.Helper()
	conn, err := w.net.Host(ip(host)).ListenUDP(0, false)
	if err != nil {
		w.Fatal(err)
	}
	id, err := seal.NewIdentity(rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	realm, err := newRealm(secret)
	if err != nil {
		w.Fatal(err)
	}
	r := &rogue{world: w, conn: conn, id: id, realm: realm, name: name, most: 1 << 30, in: make(chan datagram, 1<<16)}
	go func() {
		buf := make([]byte, maxDatagram)
		for {
			k, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			select {
			case r.in <- datagram{from, bytes.Clone(buf[:k])}:
			default:
			}
		}
	}()
	w.Cleanup(func() { _ = conn.Close() })
	return r
}

func (r *rogue) send(to netip.AddrPort, b []byte) {
	if _, err := r.conn.WriteToUDPAddrPort(b, to); err != nil {
		r.Fatal(err)
	}
}

// await returns the next datagram of a type; nil if none comes in time.
func (r *rogue) await(typ wire.PacketType) []byte {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		select {
		case d := <-r.in:
			if wire.PacketType(d.b[0]) == typ {
				return d.b
			}
		case <-timer.C:
			return nil
		}
	}
}

func (r *rogue) hello(number uint32, id ID) []byte {
	h := wire.Hello{Session: number, Suites: uint8(seal.ChaCha), ID: id, Name: r.name, MaxMessage: r.most, Versions: versions}
	return h.Append(nil)
}

var rogueNumbers atomic.Uint32

func (r *rogue) init(cookie [16]byte) (*seal.Handshake, wire.Init) {
	p := wire.Init{Version: wire.Version, Suites: uint8(seal.ChaCha), Session: 1<<30 | rogueNumbers.Add(1), Tag: r.realm.Tag(), Cookie: cookie, Noise: make([]byte, 48)}
	hs, noise, err := seal.Initiate(r.id, r.realm, wire.Prologue(p.Append(nil)), rand.Reader)
	if err != nil {
		r.Fatal(err)
	}
	p.Noise = noise
	return hs, p
}

// A rogueSession is one that the peer has agreed to.
type rogueSession struct {
	r            *rogue
	to           netip.AddrPort
	id           ID
	ours, theirs uint32
	cipher       *seal.Cipher
	number       uint64
	resumption   *seal.Resumption
	fin          []byte
}

// shake makes a session; mangle, if not nil, changes FIN.
func (r *rogue) shake(to netip.AddrPort, mangle func(fin []byte)) *rogueSession {
	r.Helper()
	hs, p := r.init([16]byte{})
	r.send(to, p.Append(nil))
	b := r.await(wire.PacketResp)
	resp, err := wire.ParseResp(b)
	if b == nil || err != nil {
		r.Fatalf("no answer: %v", err)
	}
	if _, err := hs.ReadResponse(resp.Noise); err != nil {
		r.Fatal(err)
	}
	s := &rogueSession{r: r, to: to, id: newID(), ours: p.Session, theirs: resp.Responder}
	msg, keys, err := hs.Finish(r.hello(p.Session, s.id))
	if err != nil {
		r.Fatal(err)
	}
	s.adopt(keys)
	fin := wire.Fin{Responder: resp.Responder, Noise: msg}
	s.fin = fin.Append(nil)
	if mangle != nil {
		bad := bytes.Clone(s.fin)
		mangle(bad)
		r.send(to, bad)
		synctest.Wait()
	}
	r.send(to, s.fin)
	return s
}

func (s *rogueSession) adopt(keys *seal.Keys) {
	c, err := seal.NewCipher(keys, seal.ChaCha, time.Now())
	if err != nil {
		s.r.Fatal(err)
	}
	s.cipher, s.resumption = c, keys.Resumption()
}

// resume returns a RESUME for another session.
func (s *rogueSession) resume(ours uint32) (*seal.Handshake, []byte) {
	p := wire.Resume{Version: wire.Version, Suites: uint8(seal.ChaCha), Session: ours, Tag: s.r.realm.Tag(), Ticket: s.resumption.Ticket}
	hs, noise, err := seal.InitiateResume(s.r.id, s.r.realm, s.resumption, wire.Prologue(p.Append(nil)), s.r.hello(ours, s.id), rand.Reader)
	if err != nil {
		s.r.Fatal(err)
	}
	p.Noise = noise
	return hs, p.Append(nil)
}

// packet seals frames.
func (s *rogueSession) packet(frames []byte) []byte {
	b := wire.Header{Phase: s.cipher.Phase(), Session: s.theirs, Number: s.number}.Append(nil)
	s.number++
	return s.cipher.Seal(append(b, frames...), s.number-1)
}

func (s *rogueSession) send(frames []byte) { s.r.send(s.to, s.packet(frames)) }

// read opens the next packet.
func (s *rogueSession) read() []byte {
	for {
		b := s.r.await(wire.PacketData)
		if b == nil {
			return nil
		}
		h, err := wire.ParseHeader(b)
		if err != nil || h.Session != s.ours {
			continue
		}
		plain, err := s.cipher.Open(time.Now(), b, h.Phase, h.Number)
		if err != nil {
			s.r.Fatal(err)
		}
		return plain
	}
}

// reply waits for the answer to a call, and acknowledges nothing.
func (s *rogueSession) reply(id uint64) *wire.Reply {
	for plain := s.read(); plain != nil; plain = s.read() {
		for {
			typ, body, rest, err := wire.NextFrame(plain)
			if err != nil {
				break
			}
			if typ == wire.FrameReply {
				if f, err := wire.ParseReply(body); err == nil && f.ID == id {
					return &f
				}
			}
			plain = rest
		}
	}
	return nil
}

func call(id uint64, name string, args []byte) []byte {
	c := wire.Call{ID: id, Codec: uint8(CBOR), Name: []byte(name), Total: uint64(len(args)), Data: args}
	return c.Append(nil)
}

func cborArgs(args ...any) []byte {
	b, err := wire.Marshal(args)
	if err != nil {
		panic(err)
	}
	return b
}

// A RESUME leaves something to repeat the answer from, which is no handshake that a
// FIN could end.
func TestThreat_T1_FinAfterResume(t *testing.T) {
	virtual(t, func(w *world) {
		b := w.node("10.0.0.2", "B", Config{})
		handle(w.T, b, "echo", func(v []byte) []byte { return v })
		r := w.rogue("10.0.0.3", "R", "")
		s := r.shake(at(b), nil)
		s.send(call(1, "echo", cborArgs([]byte("x"))))
		if f := s.reply(1); f == nil || f.Status != 0 {
			w.Fatalf("no answer: %v", f)
		}
		hs, packet := s.resume(77)
		r.send(at(b), packet)
		resumed, err := wire.ParseResumed(r.await(wire.PacketResumed))
		if err != nil {
			w.Fatal(err)
		}
		fin := wire.Fin{Responder: resumed.Responder, Noise: make([]byte, len(s.fin)-8)}
		r.send(at(b), fin.Append(nil)) // ended the node
		again := &rogueSession{r: r, to: at(b), ours: 77, theirs: resumed.Responder}
		_, keys, err := hs.ReadResumed(resumed.Noise)
		if err != nil {
			w.Fatal(err)
		}
		again.adopt(keys)
		again.send(call(1, "echo", cborArgs([]byte("x"))))
		if f := again.reply(1); f == nil || f.Status != 0 {
			w.Errorf("no answer in the resumed session: %v", f)
		}
	})
}

// A forged or damaged FIN does not keep the true one out.
func TestThreat_T1_ForgedFin(t *testing.T) {
	virtual(t, func(w *world) {
		b := w.node("10.0.0.2", "B", Config{})
		handle(w.T, b, "echo", func(v []byte) []byte { return v })
		s := w.rogue("10.0.0.3", "R", "").shake(at(b), func(fin []byte) { fin[50] ^= 1 })
		s.send(call(1, "echo", cborArgs([]byte("x"))))
		if f := s.reply(1); f == nil || f.Status != 0 {
			w.Errorf("no answer: %v", f)
		}
	})
}

// A replayed RESUME makes nobody talk to whoever replays it.
func TestThreat_T4_ReplayedResume(t *testing.T) {
	virtual(t, func(w *world) {
		a, b, toB := w.duo()
		w.mustEcho(toB, time.Second, 1)
		toA := w.knows(b, a)
		handle(w.T, a, "echo", func(v []byte) []byte { return v })
		var mu sync.Mutex
		var resume []byte
		w.net.Tap(func(from, _ netip.AddrPort, p []byte) {
			mu.Lock()
			defer mu.Unlock()
			if wire.PacketType(p[0]) == wire.PacketResume && from.Addr() == ipA {
				resume = bytes.Clone(p)
			}
		})
		lose := func() {
			for _, s := range a.sessions.list() {
				a.dropSession(s, CodeGone, true)
			}
		}
		lose()
		w.mustEcho(toB, time.Second, 1)
		w.mustEcho(toA, time.Second, 1)
		if resume == nil {
			w.Fatal("nothing was resumed")
		}
		inUse, sessions := toA.session.Load(), len(b.sessions.list())
		evil := netip.AddrPortFrom(ipC, 666)
		time.Sleep(2 * time.Second) // handshakes that cross do so sooner
		for range 10 {
			w.net.Inject(evil, at(b), resume)
			w.net.Inject(netip.AddrPortFrom(ipC, 667), at(b), resume)
			time.Sleep(100 * time.Millisecond)
		}
		if toA.session.Load() != inUse {
			w.Error("another session is in use since")
		}
		w.mustEcho(toA, time.Second, 1)
		w.mustEcho(toB, time.Second, 1)
		time.Sleep(time.Minute)
		if k := len(b.sessions.list()); k > sessions {
			w.Errorf("%d sessions, %d before", k, sessions)
		}
	})
}

// Junk that claims to be a cookie does not keep the true one out.
func TestThreat_T1_ForgedCookie(t *testing.T) {
	virtual(t, func(w *world) {
		_, b, toB := w.duo()
		w.flood(b, 300) // from now on it asks for a cookie
		var cookies atomic.Int32
		w.net.Tap(func(from, to netip.AddrPort, p []byte) {
			if wire.PacketType(p[0]) == wire.PacketInit && from.Addr() == ipA {
				if k, err := wire.ParseInit(p); err == nil && k.Cookie == ([16]byte{}) {
					c := wire.Cookie{Initiator: k.Session, Cookie: [16]byte{1, 2, 3}}
					w.net.Inject(to, from, c.Append(nil))
				}
			}
			if wire.PacketType(p[0]) == wire.PacketCookie && to.Addr() == ipA {
				cookies.Add(1)
			}
		})
		w.mustEcho(toB, 2*time.Second, 1)
		if cookies.Load() == 0 {
			w.Error("no cookie was asked for")
		}
	})
}

// flood begins handshakes from made-up addresses.
func (w *world) flood(to *Node, count int) {
	r := w.rogue("10.0.0.250", "R", "")
	for i := range count {
		_, p := r.init([16]byte{})
		w.net.Inject(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 4000), at(to), p.Append(nil))
		time.Sleep(5 * time.Millisecond)
	}
}

// 300 handshakes from everywhere: who can answer at its address still gets in.
func TestFault_CookieUnderLoad(t *testing.T) {
	virtual(t, func(w *world) {
		_, b, toB := w.duo()
		var cookies atomic.Int32
		w.net.Tap(func(_, to netip.AddrPort, p []byte) {
			if wire.PacketType(p[0]) == wire.PacketCookie && to.Addr() == ipA {
				cookies.Add(1)
			}
		})
		w.flood(b, 300)
		b.shakes.mu.Lock()
		half := len(b.shakes.half)
		b.shakes.mu.Unlock()
		if half < easyHalfOpen || half > maxHalfOpen {
			w.Errorf("%d half-open", half)
		}
		w.mustEcho(toB, time.Second, 1)
		if cookies.Load() == 0 {
			w.Error("no cookie was asked for")
		}
	})
}

// nativePackets are real ones, as a node sends them, of all types.
func (w *world) nativePackets(secret string) [][]byte {
	var mu sync.Mutex
	var out [][]byte
	w.net.Tap(func(_, _ netip.AddrPort, p []byte) { mu.Lock(); out = append(out, bytes.Clone(p)); mu.Unlock() })
	defer w.net.Tap(nil)
	a, b := w.node("10.7.0.1", "X", Config{Secret: secret}), w.node("10.7.0.2", "Y", Config{Secret: secret})
	handle(w.T, b, "echo", func(v []byte) []byte { return v })
	toB := w.knows(a, b)
	w.mustEcho(toB, time.Second, 3000)
	for _, s := range a.sessions.list() {
		a.dropSession(s, CodeGone, true)
	}
	w.mustEcho(toB, time.Second, 10)
	cookie := wire.Cookie{Initiator: 7}
	versions := wire.Versions{Initiator: 7, Versions: []uint8{1, 2}}
	mu.Lock()
	defer mu.Unlock()
	return append(out, cookie.Append(nil), versions.Append(nil))
}

// A node survives what anybody sends, and a stranger gets no more bytes than it sent.
func TestThreat_T1_AnyDatagram(t *testing.T) {
	for name, secret := range map[string]string{"open realm": "", "secret": NewSecret()} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				seeds := w.nativePackets(secret)
				a, b := w.node("10.0.0.1", "A", Config{Secret: secret}), w.node("10.0.0.2", "B", Config{Secret: secret})
				handle(w.T, b, "echo", func(v []byte) []byte { return v })
				toB := w.knows(a, b)
				w.mustEcho(toB, time.Second, 10)
				var answered, datagrams atomic.Uint64
				w.net.Tap(func(_, to netip.AddrPort, p []byte) {
					if to.Addr() == ipC {
						answered.Add(uint64(len(p)))
						datagrams.Add(1)
					}
				})
				json := golden(t)
				r := mathrand.New(mathrand.NewPCG(1, 2))
				sent := uint64(0)
				for i := range scale(200_000) {
					var d []byte
					switch native := secret == "" || r.IntN(4) > 0; {
					case r.IntN(4) == 0: // whatever, of this protocol
						d = make([]byte, 1+r.IntN(1400))
						for i := range d {
							d[i] = byte(r.Uint32())
						}
						d[0] = byte(wire.PacketInit) + byte(r.IntN(12))
					case native:
						d = mutate(r, seeds[r.IntN(len(seeds))])
					default: // in the open realm JSON is answered as 1.x does
						d = mutate(r, json[r.IntN(len(json))])
					}
					if secret == "" && !wire.IsNative(d) {
						d[0] = byte(wire.PacketData)
					}
					w.net.Inject(netip.AddrPortFrom(ipC, uint16(1+r.IntN(60_000))), at(b), d)
					sent += uint64(len(d))
					if i%200 == 0 { // else there would be no room in the queue
						synctest.Wait()
						time.Sleep(time.Millisecond)
					}
				}
				w.mustEcho(toB, time.Second, 10_000)
				if answered.Load() > sent || secret == "" && datagrams.Load() == 0 {
					w.Errorf("%d bytes (%d datagrams) answer %d", answered.Load(), datagrams.Load(), sent)
				}
				time.Sleep(time.Minute)
				if k := len(b.sessions.list()); k > 1 {
					w.Errorf("%d sessions", k)
				}
				if lost := w.net.Stats().Overflowed; lost > 0 {
					w.Errorf("%d never reached the node", lost)
				}
			})
		})
	}
}

// What passes over the air is names of nodes and nothing else that an application said.
func TestThreat_T3_NothingInClear(t *testing.T) {
	secret := NewSecret()
	for name, cfg := range map[string]Config{"open realm": {}, "generated secret": {Secret: secret}, "own secret": {Secret: "planted secret phrase"}} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				planted := []string{"planted-name", "planted-args", "planted-result", "planted-error", "planted-nobody", "planted-json", "planted-kw"}
				a, b := w.found("10.0.0.1", "A", cfg), w.found("10.0.0.2", "B", cfg)
				if cfg.Secret != "" {
					planted = append(planted, cfg.Secret, strings.TrimPrefix(cfg.Secret, "plk1_"))
					if raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(cfg.Secret, "plk1_")); err == nil {
						psk, _ := hkdf.Expand(sha256.New, raw, "peerlink 1 psk", 32)
						planted = append(planted, string(raw), string(psk))
					}
				}
				var mu sync.Mutex
				var air [][]byte
				w.net.Tap(func(_, _ netip.AddrPort, p []byte) { mu.Lock(); air = append(air, bytes.Clone(p)); mu.Unlock() })
				handle(w.T, b, "planted-name", func(s string, _ Kwargs) (string, error) {
					if s == "" {
						return "", &RemoteError{Type: "planted-error", Message: "planted-error"}
					}
					return "planted-result" + s, nil
				})
				toB := mustPeer(w, a, "B")
				calls := []error{
					toB.Call(soon(w.T), nil, "planted-name", "planted-args", Kwargs{"planted-kw": "planted-kw"}),
					toB.Call(soon(w.T), nil, "planted-name", ""),
					toB.Call(soon(w.T), nil, "planted-nobody", "planted-args"),
					toB.Call(soon(w.T), nil, "planted-name", strings.Repeat("planted-args", 10_000)),
				}
				_, err := toB.CallRaw(soon(w.T), "planted-name", Payload{JSON, []byte(`["planted-json"]`)})
				if calls[0] != nil || calls[1] == nil || calls[2] == nil || calls[3] != nil || err != nil {
					w.Fatal(calls, err)
				}
				for _, s := range a.sessions.list() { // and in a resumed session
					a.dropSession(s, CodeGone, true)
				}
				_ = toB.Call(soon(w.T), nil, "planted-name", "planted-args")
				mu.Lock()
				defer mu.Unlock()
				if len(air) < 100 {
					w.Fatalf("%d datagrams", len(air))
				}
				for _, p := range air {
					for _, text := range planted {
						if bytes.Contains(p, []byte(text)) {
							w.Errorf("%q is in a datagram of type %#x", text, p[0])
						}
					}
					if p[0] == '{' {
						w.Errorf("JSON: %.80q", p)
					}
				}
			})
		})
	}
}

// What was recorded runs nothing again: not at once, nor after a restart, nor at
// another node, nor at the sender.
func TestThreat_T4_Replay(t *testing.T) {
	virtual(t, func(w *world) {
		cfg := Config{Secret: NewSecret()}
		var runs atomic.Int64
		serve := func(n *Node) { handle(w.T, n, "count", func(int) { runs.Add(1) }) }
		a, b, c := w.node("10.0.0.1", "A", cfg), w.node("10.0.0.2", "B", cfg), w.node("10.0.0.3", "C", cfg)
		for _, n := range []*Node{a, b, c} {
			serve(n)
		}
		toB := w.knows(a, b)
		type sent struct {
			from, to netip.AddrPort
			b        []byte
		}
		var mu sync.Mutex
		var tape []sent
		w.net.Tap(func(from, to netip.AddrPort, p []byte) {
			mu.Lock()
			tape = append(tape, sent{from, to, bytes.Clone(p)})
			mu.Unlock()
		})
		const calls = 3000
		for i := range calls {
			if err := toB.Call(soon(w.T), nil, "count", i); err != nil {
				w.Fatal(err)
			}
		}
		w.net.Tap(nil)
		if runs.Load() != calls || len(tape) < calls {
			w.Fatalf("%d calls, %d datagrams", runs.Load(), len(tape))
		}
		r := mathrand.New(mathrand.NewPCG(3, 4))
		accepted := func() (k uint64) {
			for _, n := range []*Node{a, b, c} {
				for _, s := range n.sessions.list() {
					k += s.stats().Received
				}
			}
			return k
		}
		replay := func(what string, to func(sent) (from, to netip.AddrPort)) {
			w.Helper()
			before := accepted()
			for i := range 4 * len(tape) {
				p := tape[r.IntN(len(tape))]
				from, at := to(p)
				w.net.Inject(from, at, p.b)
				if i%200 == 0 {
					synctest.Wait()
				}
			}
			time.Sleep(time.Second)
			if runs.Load() != calls {
				w.Errorf("%s: %d of %d calls were executed", what, runs.Load()-calls, calls)
			}
			if k := accepted(); k > before+20 { // some are new
				w.Errorf("%s: %d packets were accepted", what, k-before)
			}
		}
		evil := netip.MustParseAddrPort("10.0.0.66:666")
		replay("the same way", func(s sent) (_, _ netip.AddrPort) { return s.from, s.to })
		replay("from elsewhere", func(s sent) (_, _ netip.AddrPort) { return evil, s.to })
		replay("to another", func(s sent) (_, _ netip.AddrPort) { return s.from, at(c) })
		replay("back to the sender", func(s sent) (_, _ netip.AddrPort) { return s.to, s.from })
		if err := toB.Call(soon(w.T), nil, "count", 0); err != nil || runs.Swap(calls) != calls+1 {
			w.Errorf("a call afterwards: %v", err)
		}
		port := b.UDPPort()
		if err := b.Close(); err != nil {
			w.Fatal(err)
		}
		cfg.UDPPort = port
		serve(w.node("10.0.0.2", "B", cfg))
		replay("after a restart", func(s sent) (_, _ netip.AddrPort) { return s.from, s.to })
		if err := toB.Call(soon(w.T), nil, "count", 0); err != nil || runs.Load() != calls+1 {
			w.Errorf("a call after the restart: %v", err)
		}
		if k := w.net.Stats().Delivered; k < 20*calls {
			w.Errorf("%d datagrams arrived", k)
		}
	})
}

// heap returns the bytes in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A peer with the secret that exceeds each budget a hundred times costs little, and
// takes nothing from others.
func TestThreat_T7_MaliciousPeer(t *testing.T) {
	for name, attack := range map[string]func(w *world, s *rogueSession, i int){
		"calls of a slow handler": func(w *world, s *rogueSession, i int) {
			var b []byte
			for k := range 40 {
				b = append(b, call(uint64(i*40+k+1), "slow", nil)...)
			}
			s.send(b)
		},
		"half messages": func(w *world, s *rogueSession, i int) {
			c := wire.Call{ID: uint64(i + 1), Codec: 2, Name: []byte("echo"), Total: 1 << 20, Data: make([]byte, 1000)}
			s.send(c.Append(nil))
		},
		"bytes far ahead": func(w *world, s *rogueSession, i int) {
			f := wire.More{ID: uint64(i%300 + 1), Total: 16 << 20, Offset: 1<<20 - 100, Data: make([]byte, 50)}
			s.send(f.Append(nil))
		},
		"one byte in two": func(w *world, s *rogueSession, i int) {
			var b []byte
			for k := range 60 {
				f := wire.More{ID: uint64(i%8 + 1), Total: 16 << 20, Offset: uint64(1<<19 - 2*(i/8*60+k)), Data: []byte{1}}
				b = f.Append(b)
			}
			s.send(b)
		},
		"scattered ids": func(w *world, s *rogueSession, i int) {
			var b []byte
			for k := range 20 {
				b = append(b, call(uint64(i*20+k)*1_000_003+2, "nobody", nil)...)
			}
			s.send(b)
		},
		"ids near the end": func(w *world, s *rogueSession, i int) {
			s.send(call(wire.MaxVarint-uint64(2*i), "echo", cborArgs([]byte{1})))
		},
		"lies about what arrived": func(w *world, s *rogueSession, i int) {
			s.send(wire.AppendAck(nil, []wire.Range{{First: 0, Last: uint64(i) * 1000}}, 0))
		},
		"too large": func(w *world, s *rogueSession, i int) {
			c := wire.Call{ID: uint64(i + 1), Codec: 2, Name: []byte("echo"), Total: 1 << 40, Data: make([]byte, 100)}
			s.send(c.Append(nil))
		},
		"numbers near the end": func(w *world, s *rogueSession, i int) {
			s.number = max(s.number, 1<<62) + 1<<32
			s.send(wire.AppendPing(nil))
		},
		"challenges": func(w *world, s *rogueSession, i int) {
			var b []byte
			for k := range 100 {
				b = wire.AppendPath(b, wire.FramePathChallenge, [8]byte{byte(k), byte(i)})
			}
			s.send(b)
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				secret := NewSecret()
				a := w.node("10.0.0.1", "A", Config{Secret: secret})
				b := w.node("10.0.0.2", "B", Config{Secret: secret})
				handle(w.T, b, "echo", func(v []byte) []byte { return v })
				handle(w.T, b, "slow", func(ctx context.Context) { <-ctx.Done() })
				toB := w.knows(a, b)
				w.mustEcho(toB, time.Second, 1)
				rogue := w.rogue("10.0.0.66", "R", secret)
				s := rogue.shake(at(b), nil)
				before := heap()
				for i := range 3000 {
					attack(w, s, i)
					if i%100 == 0 {
						synctest.Wait()
						for len(rogue.in) > 0 {
							<-rogue.in
						}
						w.mustEcho(toB, 100*time.Millisecond, 100)
					}
				}
				synctest.Wait()
				for len(rogue.in) > 0 {
					<-rogue.in
				}
				if after := heap(); after > before+48<<20 {
					w.Errorf("%d MiB more in use", (after-before)>>20)
				}
				if running := b.gate.Running(); running > 256 {
					w.Errorf("%d calls run", running)
				}
				w.mustEcho(toB, time.Second, 100_000)
			})
		})
	}
}

// A peer that takes replies and acknowledges none is owed a bounded amount, however
// long it does so.
func TestThreat_T8_NeverAcknowledges(t *testing.T) {
	virtual(t, func(w *world) {
		a, b, toB := w.duo()
		w.mustEcho(toB, time.Second, 1)
		toB.session.Load()
		_ = a
		rogue := w.rogue("10.0.0.66", "R", "")
		s := rogue.shake(at(b), nil)
		before := heap()
		var toRogue atomic.Uint64
		w.net.Tap(func(_, to netip.AddrPort, p []byte) {
			if to.Addr() == ip("10.0.0.66") {
				toRogue.Add(1)
			}
		})
		most := 0
		for i := range 10 * 60 * 10 {
			s.send(call(uint64(i+1), "echo", cborArgs(make([]byte, 1000))))
			time.Sleep(100 * time.Millisecond)
			for len(rogue.in) > 0 {
				<-rogue.in
			}
			for _, o := range b.sessions.list() {
				if st := o.stats(); o.about.Name == "R" {
					most = max(most, st.OwedReplies)
				}
			}
		}
		if most < 1000 || most > 1024 {
			w.Errorf("%d replies were owed", most)
		}
		if after := heap(); after > before+16<<20 {
			w.Errorf("%d MiB more in use", (after-before)>>20)
		}
		if k := toRogue.Load(); k > 20_000 {
			w.Errorf("%d datagrams went there", k)
		}
		w.mustEcho(toB, time.Second, 10_000)
	})
}

// What a later version may add is skipped, and what is wrong ends its packet only.
func TestThreat_T8_OtherVersions(t *testing.T) {
	virtual(t, func(w *world) {
		_, b, toB := w.duo()
		rogue := w.rogue("10.0.0.66", "R", "")
		s := rogue.shake(at(b), nil)
		id := uint64(0)
		echo := func() []byte { id++; return call(id, "echo", cborArgs([]byte("x"))) }
		works := func(what string, frames []byte) {
			w.Helper()
			s.send(frames)
			if f := s.reply(id); f == nil || f.Status != 0 {
				w.Errorf("%s: %v", what, f)
			}
		}
		works("unknown frames", append(append([]byte{0x3f, 3, 1, 2, 3, 0x10, 0}, echo()...), 0x7f, 0xff, 1, 9))
		works("padding", append(make([]byte, 300), echo()...))
		works("bytes behind a field", append(append([]byte{byte(wire.FrameWorking), 3, 9, 9, 9}, echo()...), byte(wire.FramePing), 2, 1, 1))
		works("nonsense behind it", append(echo(), 0x05, 0x7f))
		works("a long form", append([]byte{0x40, byte(wire.FramePing), 0}, echo()...))
		for _, frames := range [][]byte{{0x03, 0}, {0x03, 1, 1}, {0x04, 3, 2, 1, 1}, {0x05, 0}, {0x02, 1, 0}, {0x40, 0, 0}, {0x08, 3, 1, 2, 3}, {0x0a, 0}, {0x06, 0}, {0x07, 0}} {
			s.send(frames) // half a frame, or one that says nothing
		}
		s.send(append([]byte{0x03, 0x41, 0xff}, echo()...)) // longer than the packet: drops what is behind
		if f := s.reply(id); f != nil {
			w.Errorf("behind a frame that is too long: %v", f)
		}
		works("afterwards", echo())
		// An INIT of another version is told which are spoken.
		_, p := rogue.init([16]byte{})
		p.Version = 2
		rogue.send(at(b), p.Append(nil))
		v, err := wire.ParseVersions(rogue.await(wire.PacketVersions))
		if err != nil || !bytes.Equal(v.Versions, versions) || v.Initiator != p.Session {
			w.Errorf("%v, %v", v, err)
		}
		w.mustEcho(toB, time.Second, 10)
	})
}

// A peer need not say how large a message it takes.
func TestThreat_T8_NoLimitTold(t *testing.T) {
	virtual(t, func(w *world) {
		b := w.node("10.0.0.2", "B", Config{})
		handle(w.T, b, "echo", func(v []byte) []byte { return v })
		rogue := w.rogue("10.0.0.66", "R", "")
		rogue.most = 0
		s := rogue.shake(at(b), nil)
		s.send(call(1, "echo", cborArgs([]byte("x"))))
		if f := s.reply(1); f == nil || f.Status != 0 {
			w.Errorf("%+v", f)
		}
	})
}

// A peer that began a handshake and never goes on leaves nothing.
func TestThreat_T8_HalfOpen(t *testing.T) {
	virtual(t, func(w *world) {
		_, b, toB := w.duo()
		w.flood(b, 20)
		time.Sleep(time.Minute)
		w.mustEcho(toB, time.Second, 10)
		b.shakes.mu.Lock()
		defer b.shakes.mu.Unlock()
		if k := len(b.shakes.half); k > 1 {
			w.Errorf("%d half-open handshakes are kept", k)
		}
	})
}

// Virtual time shows that nothing is lost but time; what it costs is measured in
// test/bench.
func TestThreat_T12_Flood(t *testing.T) {
	virtual(t, func(w *world) {
		seeds := w.nativePackets("")
		_, b, toB := w.duo()
		w.mustEcho(toB, time.Second, 1)
		r := mathrand.New(mathrand.NewPCG(5, 6))
		for range scale(1000) {
			for range 100 {
				p := bytes.Clone(seeds[r.IntN(len(seeds))])
				p[len(p)-1] ^= 1
				w.net.Inject(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 8, byte(r.Uint32()), byte(r.Uint32())}), 99), at(b), p)
			}
			w.mustEcho(toB, 100*time.Millisecond, 100)
			time.Sleep(time.Millisecond)
		}
	})
}

// Forged handshakes send the victim no more than the attacker paid.
func TestThreat_T13_Reflection(t *testing.T) {
	virtual(t, func(w *world) {
		_, b, toB := w.duo()
		rogue := w.rogue("10.0.0.250", "R", "")
		var hit uint64
		victim := ip("10.0.0.99")
		w.net.Tap(func(_, to netip.AddrPort, p []byte) {
			if to.Addr() == victim {
				hit += uint64(len(p)) // one goroutine reads and answers
			}
		})
		sent := uint64(0)
		for i := range 1000 {
			_, p := rogue.init([16]byte{})
			if i%3 == 0 {
				p.Version = 9
			}
			d := p.Append(nil)
			sent += uint64(len(d))
			w.net.Inject(netip.AddrPortFrom(victim, uint16(1000+i)), at(b), d)
			if i%4 == 0 { // and repeated
				sent += uint64(len(d))
				w.net.Inject(netip.AddrPortFrom(victim, uint16(1000+i)), at(b), d)
			}
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		w.net.Tap(nil)
		time.Sleep(time.Minute)
		if hit == 0 || hit > sent {
			w.Errorf("%d bytes hit the victim for %d", hit, sent)
		}
		w.mustEcho(toB, time.Second, 1)
	})
}

// Arguments that would take much more memory than bytes are refused.
func TestThreat_T14_Bombs(t *testing.T) {
	virtual(t, func(w *world) {
		_, b, toB := w.duo()
		handle(w.T, b, "any", func(v any) int { return 1 })
		handle(w.T, b, "all", func(v ...any) int { return len(v) })
		deep := append(bytes.Repeat([]byte{0x81}, 1000), 0)
		for name, args := range map[string][]byte{
			"deep":              append([]byte{0x81}, deep...),
			"many empty maps":   append([]byte{0x81, 0x99, 0x04, 0x90}, bytes.Repeat([]byte{0xa0}, 0x490)...),
			"many empty arrays": append([]byte{0x81, 0x99, 0x04, 0x90}, bytes.Repeat([]byte{0x80}, 0x490)...),
			"a huge array":      {0x81, 0x9b, 0, 0, 0, 1, 0, 0, 0, 0},
			"a huge string":     {0x81, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			"a huge map":        {0x81, 0xba, 0xff, 0xff, 0xff, 0xff},
			"indefinite":        {0x81, 0x9f, 1, 0xff},
			"indefinite text":   {0x81, 0x7f, 0x61, 'a', 0xff},
			"tags":              {0x81, 0xc1, 0xc1, 0xc1, 1},
			"equal keys":        {0x81, 0xa2, 0x61, 'a', 1, 0x61, 'a', 2},
			"cut":               {0x81, 0x82, 1},
			"nothing":           {0xff},
			"no array":          {1},
			"two arrays":        {0x81, 1, 0x81, 1},
		} {
			for _, fn := range []string{"any", "all"} {
				var before, after runtime.MemStats
				w.mustEcho(toB, time.Second, 10)
				runtime.ReadMemStats(&before)
				_, err := toB.CallRaw(soon(w.T), fn, Payload{CBOR, args})
				runtime.ReadMemStats(&after)
				remote, ok := errors.AsType[*RemoteError](err)
				if !ok || remote.Type != "TypeError" {
					w.Errorf("%s: %s: %v", name, fn, err)
				}
				if took := after.TotalAlloc - before.TotalAlloc; took > 128<<10 {
					w.Errorf("%s: %s: %d bytes were allocated for %d", name, fn, took, len(args))
				}
			}
		}
		w.mustEcho(toB, time.Second, 10)
	})
}

// Slow calls of one peer do not stand in the way of another's.
func TestThreat_T15_Starvation(t *testing.T) {
	virtual(t, func(w *world) {
		w.net.SetFaults(simnet.Faults{Delay: time.Millisecond})
		a, c := w.node("10.0.0.1", "A", Config{}), w.node("10.0.0.3", "C", Config{})
		b := w.node("10.0.0.2", "B", Config{Limits: Limits{CallsPerPeer: 64}})
		handle(w.T, b, "echo", func(v []byte) []byte { return v })
		handle(w.T, b, "slow", func(ctx context.Context) { <-ctx.Done() })
		fromA, fromC := w.knows(a, b), w.knows(c, b)
		w.mustEcho(fromA, time.Second, 1)
		w.mustEcho(fromC, time.Second, 1)
		var slow, refused atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				switch err := fromA.Call(soon(w.T), nil, "slow"); {
				case errors.Is(err, ErrTimeout):
					slow.Add(1)
				case errors.Is(err, ErrOverloaded):
					refused.Add(1)
				default:
					w.Error(err)
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		for range 500 {
			w.mustEcho(fromC, 10*time.Millisecond, 100)
		}
		if err := echo(fromA, time.Second, 1); !errors.Is(err, ErrOverloaded) {
			w.Errorf("beyond the gate: %v", err)
		}
		wg.Wait()
		if slow.Load() != 64 || refused.Load() != 36 {
			w.Errorf("%d were let in, %d refused", slow.Load(), refused.Load())
		}
		time.Sleep(100 * time.Millisecond)
		w.mustEcho(fromA, time.Second, 1)
	})
}
