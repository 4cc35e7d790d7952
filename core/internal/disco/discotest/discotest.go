// Package discotest is what every discovery backend has to pass. It runs over
// real sockets, on the loopback interface only.
package discotest

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/netio"
)

// Options say what a backend promises.
type Options struct {
	Found   time.Duration // at most, from the start of the later one
	Changed time.Duration // at most, until a change is reported
	Lost    time.Duration // at most, from Close until Lost
	Why     disco.Reason  // for a goodbye: Removed, or Expired if it is not heard
	// Reconfirms is set where Reconfirm asks the network.
	Reconfirms bool
}

// Run runs the suite.
func Run(t *testing.T, newBackend func() disco.Backend, o Options) {
	s := &suite{newBackend, o}
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"Found", s.found},
		{"Names", s.names},
		{"UpdateTXT", s.updateTXT},
		{"Goodbye", s.goodbye},
		{"Restart", s.restart},
		{"Reconfirm", s.reconfirm},
		{"LateInterface", s.lateInterface},
		{"Hidden", s.hidden},
		{"Many", s.many},
		{"Close", s.close},
		{"CloseUnstarted", s.closeUnstarted},
		{"Churn", s.churn},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each test has a service type of its own
			c.test(t)
		})
	}
}

type suite struct {
	newBackend func() disco.Backend
	Options
}

// Loopback lists the loopback interface and nothing else.
func Loopback(t testing.TB) func() ([]netio.Interface, error) {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	k := slices.IndexFunc(all, func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
	if k < 0 {
		t.Fatal("no loopback interface")
	}
	lo := netio.Interface{
		Index: all[k].Index, Name: all[k].Name, Flags: all[k].Flags,
		Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")},
	}
	return func() ([]netio.Interface, error) { return []netio.Interface{lo}, nil }
}

// Type returns a service type that no other test uses.
func Type() string { return fmt.Sprintf("_plt%08x._tcp", rand.Uint32()) }

// Self returns a service with everything filled in.
func Self(typ, name string, port uint16) disco.Service {
	return disco.Service{
		Type: typ, Instance: name, Host: fmt.Sprintf("pl-%012x", rand.Uint64()>>16), Port: port,
		TXT: []string{"node=" + name, "port=" + fmt.Sprint(port), "z=1", "a=2"},
	}
}

func env(t testing.TB) disco.Env {
	return disco.Env{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Interfaces: Loopback(t)}
}

// start starts a backend that is closed with the test.
func (s *suite) start(t testing.TB, self disco.Service) (disco.Backend, *Recorder) {
	t.Helper()
	b, r := s.newBackend(), NewRecorder()
	if err := b.Start(env(t), self, r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, b) })
	return b, r
}

func mustClose(t testing.TB, b disco.Backend) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func (s *suite) found(t *testing.T) {
	typ := Type()
	one := Self(typ, "Phone1", 50001)
	two := Self(typ, "Phone2", 50002)
	_, r1 := s.start(t, one)
	_, r2 := s.start(t, two)
	checkSighting(t, r1.AwaitFound(t, s.Found, 0, "Phone2"), two)
	checkSighting(t, r2.AwaitFound(t, s.Found, 0, "Phone1"), one)
}

// checkSighting compares with what was announced on the loopback interface. The
// first sighting may have one of the addresses only.
func checkSighting(t *testing.T, got disco.Sighting, want disco.Service) {
	t.Helper()
	if !slices.Equal(got.TXT, want.TXT) {
		t.Errorf("TXT = %q, want %q", got.TXT, want.TXT)
	}
	if len(got.Addrs) == 0 {
		t.Error("no address")
	}
	for k, a := range got.Addrs {
		if !a.Addr().IsLoopback() || a.Port() != want.Port {
			t.Errorf("address %v, want port %d of the loopback interface", a, want.Port)
		}
		if k > 0 && a.Addr().Is4() && got.Addrs[k-1].Addr().Is6() {
			t.Errorf("IPv6 before IPv4: %v", got.Addrs)
		}
	}
}

func (s *suite) names(t *testing.T) {
	typ := Type()
	_, r := s.start(t, Self(typ, "Watcher", 50000))
	for k, name := range []string{
		"Bob's \"big\" phone", "a.b.c", "with / and \\ in it", "📱 phone (1)", ".dots.", "\\",
		"sixty-three bytes sixty-three bytes sixty-three bytes sixty-thr", "名前", "_x._tcp",
	} {
		mark := r.Mark()
		self := Self(typ, name, uint16(50001+k))
		self.TXT = []string{"node=" + name, "quote=\"", "path=C:\\dir\\063", "bin=\x00\xff", "=", "flag"}
		s.start(t, self)
		checkSighting(t, r.AwaitFound(t, s.Found, mark, name), self)
	}
}

func (s *suite) updateTXT(t *testing.T) {
	typ := Type()
	b, _ := s.start(t, Self(typ, "Changing", 50001))
	_, r := s.start(t, Self(typ, "Watcher", 50002))
	r.AwaitFound(t, s.Found, 0, "Changing")
	for n := range 3 {
		mark := r.Mark()
		txt := []string{"node=Changing", fmt.Sprintf("hb=%d", n)}
		b.Update(txt)
		r.Await(t, s.Changed, mark, "the new TXT", func(e Event) bool {
			return e.Lost == "" && e.Sighting.Instance == "Changing" && slices.Equal(e.Sighting.TXT, txt)
		})
	}
}

func (s *suite) goodbye(t *testing.T) {
	typ := Type()
	b, _ := s.start(t, Self(typ, "Leaving", 50001))
	_, r := s.start(t, Self(typ, "Watcher", 50002))
	r.AwaitFound(t, s.Found, 0, "Leaving")
	mark := r.Mark()
	mustClose(t, b)
	r.AwaitLost(t, s.Lost, mark, "Leaving", s.Why)
}

func (s *suite) restart(t *testing.T) {
	typ := Type()
	b, _ := s.start(t, Self(typ, "Again", 50001))
	_, r := s.start(t, Self(typ, "Watcher", 50002))
	r.AwaitFound(t, s.Found, 0, "Again")
	mark := r.Mark()
	mustClose(t, b)
	s.start(t, Self(typ, "Again", 50003))
	r.Await(t, s.Changed, mark, "the new port", func(e Event) bool {
		return e.Sighting.Instance == "Again" && len(e.Sighting.Addrs) > 0 &&
			!slices.ContainsFunc(e.Sighting.Addrs, func(a netip.AddrPort) bool { return a.Port() != 50003 })
	})
	r.Never(t, s.Lost/4, r.Mark(), "the goodbye of the first start ended the second", func(e Event) bool {
		return e.Lost != "" && e.Sighting.Instance == "Again"
	})
}

func (s *suite) reconfirm(t *testing.T) {
	typ := Type()
	s.start(t, Self(typ, "Alive", 50001))
	b, r := s.start(t, Self(typ, "Watcher", 50002))
	r.AwaitFound(t, s.Found, 0, "Alive")
	ghost := Self(typ, "Ghost", 50003)
	haunt(t, ghost)
	if s.Reconfirms {
		r.AwaitFound(t, s.Found, 0, "Ghost")
	}
	mark := r.Mark()
	for _, name := range []string{"Alive", "Ghost", "Nobody"} {
		b.Reconfirm(name)
	}
	if s.Reconfirms {
		r.AwaitLost(t, 3*time.Second, mark, "Ghost", disco.Expired)
	}
	r.Never(t, time.Second, mark, "a live node was lost", func(e Event) bool {
		return e.Lost != "" && e.Sighting.Instance == "Alive"
	})
}

func (s *suite) lateInterface(t *testing.T) {
	typ := Type()
	var mu sync.Mutex
	up := false
	lo := Loopback(t)
	late := env(t)
	late.Interfaces = func() ([]netio.Interface, error) {
		mu.Lock()
		defer mu.Unlock()
		if !up {
			return nil, nil
		}
		return lo()
	}
	b, r := s.newBackend(), NewRecorder()
	if err := b.Start(late, Self(typ, "Late", 50001), r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, b) })
	_, watcher := s.start(t, Self(typ, "Watcher", 50002))
	r.Await(t, s.Found, 0, "Failed: no interface", func(e Event) bool { return e.Err != nil })
	mu.Lock()
	up = true
	mu.Unlock()
	b.NetworkChanged()
	r.AwaitFound(t, s.Found, 0, "Watcher")
	watcher.AwaitFound(t, s.Found, 0, "Late")
}

func (s *suite) hidden(t *testing.T) {
	typ := Type()
	_, r := s.start(t, Self(typ, "Seen", 50001))
	_, eyes := s.start(t, disco.Service{Type: typ, Instance: "Eyes", Hidden: true})
	eyes.AwaitFound(t, s.Found, 0, "Seen")
	r.Never(t, 300*time.Millisecond, 0, "a hidden node was seen", func(e Event) bool {
		return e.Sighting.Instance == "Eyes"
	})
}

func (s *suite) many(t *testing.T) {
	const n = 20
	typ := Type()
	for k := range n {
		s.start(t, Self(typ, fmt.Sprintf("Node %d", k), uint16(50001+k)))
	}
	_, r := s.start(t, Self(typ, "Watcher", 50000))
	for k := range n {
		r.AwaitFound(t, s.Found, 0, fmt.Sprintf("Node %d", k))
	}
}

// close checks that Close ends everything; that no goroutine survives is checked
// by the TestMain of the package that runs the suite.
func (s *suite) close(t *testing.T) {
	typ := Type()
	b, r := s.start(t, Self(typ, "Closing", 50001))
	other, _ := s.start(t, Self(typ, "Other", 50002))
	r.AwaitFound(t, s.Found, 0, "Other")
	mustClose(t, b)
	mark := r.Mark()
	mustClose(t, b)
	b.Update([]string{"x=1"})
	b.Reconfirm("Other")
	b.NetworkChanged()
	other.Update([]string{"y=1"})
	mustClose(t, other)
	r.Never(t, 300*time.Millisecond, mark, "a call after Close", func(Event) bool { return true })
}

func (s *suite) closeUnstarted(t *testing.T) {
	b := s.newBackend()
	b.Update(nil)
	b.Reconfirm("x")
	b.NetworkChanged()
	mustClose(t, b)
	if err := b.Start(env(t), Self(Type(), "x", 1), NewRecorder()); err == nil {
		t.Error("started after Close")
	}
}

// churn calls everything from several goroutines at once.
func (s *suite) churn(t *testing.T) {
	typ := Type()
	var wg sync.WaitGroup
	for k := range 4 {
		b, _ := s.start(t, Self(typ, fmt.Sprint("churn", k), uint16(50001+k)))
		for range 2 {
			wg.Go(func() {
				for n := range 5 {
					b.Update([]string{fmt.Sprint("n=", n)})
					b.Reconfirm(fmt.Sprint("churn", n))
					b.NetworkChanged()
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		if k%2 == 0 {
			wg.Go(func() {
				time.Sleep(30 * time.Millisecond)
				mustClose(t, b)
			})
		}
	}
	wg.Wait()
}
