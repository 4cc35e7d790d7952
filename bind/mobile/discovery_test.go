package peerlink

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"testing"
	"time"

	core "github.com/peerlink/peerlink/core"
)

// fakeDriver records what it is asked to do, in words.
type fakeDriver struct {
	did  chan string
	sink chan DiscoverySink
	err  error
}

func newFakeDriver() *fakeDriver {
	return &fakeDriver{did: make(chan string, 100), sink: make(chan DiscoverySink, 10)}
}

func (f *fakeDriver) Advertise(serviceType, name string, port int32, txt []byte) error {
	f.did <- fmt.Sprintf("advertise %s %s %d %q", serviceType, name, port, txt)
	return f.err
}

func (f *fakeDriver) Browse(serviceType string, sink DiscoverySink) error {
	f.did <- "browse " + serviceType
	f.sink <- sink
	return f.err
}

func (f *fakeDriver) StopAll() error { f.did <- "stop"; return nil }

// fakeSink records what core is told.
type fakeSink chan string

func (f fakeSink) Found(s core.Sighting)               { f <- fmt.Sprint("found ", s.Instance, s.Addrs, s.TXT) }
func (f fakeSink) Lost(name string, r core.DownReason) { f <- fmt.Sprint("lost ", name, " ", r) }
func (f fakeSink) Renamed(name string)                 { f <- "renamed " + name }
func (f fakeSink) Failed(err error)                    { f <- "failed " + err.Error() }

func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case s := <-c:
		return s
	case <-time.After(5 * time.Second):
		t.Fatal("nothing came")
		var none T
		return none
	}
}

func expect(t *testing.T, c <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := next(t, c); got != w {
			t.Fatalf("got %q, want %q", got, w)
		}
	}
}

func startFake(t *testing.T, f *fakeDriver, self core.Service) (*injected, fakeSink, chan string) {
	t.Helper()
	told := make(chan string, 100)
	d := newInjected(f, func(code int32, detail string) { told <- fmt.Sprint(code, " ", detail) })
	d.sweep = 10 * time.Millisecond
	sink := make(fakeSink, 100)
	env := core.DiscoveryEnv{
		Log:        slog.New(slog.DiscardHandler),
		Interfaces: func() ([]core.Interface, error) { return []core.Interface{{Index: 3, Name: "wlan0"}}, nil },
	}
	if err := d.Start(env, self, sink); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, sink, told
}

var phone1 = core.Service{Type: "_peerlink._tcp", Instance: "Phone1", Port: 49152, TXT: []string{"a=1"}}

func TestInjectedDiscovery(t *testing.T) {
	f := newFakeDriver()
	d, sink, told := startFake(t, f, phone1)
	expect(t, f.did, "browse _peerlink._tcp", `advertise _peerlink._tcp Phone1 49152 "\x03a=1"`)
	app := <-f.sink

	app.Found("Phone2", "fe80::2%wlan0 192.168.1.6", 50000, 0, []byte("\x03b=2"))
	expect(t, sink, "found Phone2[192.168.1.6:50000 [fe80::2%3]:50000] [b=2]")
	app.Found("Phone2", "192.168.1.6", 50000, 0, []byte("\x09cut"))
	app.Found("", "192.168.1.6", 50000, 0, nil)
	app.Found("Phone3", "not an address", 50000, 0, nil)
	app.Lost("Phone2")
	expect(t, sink, "lost Phone2 removed")
	app.Registered("Phone1")
	expect(t, sink, "renamed Phone1")

	d.Update([]string{"a=2"})
	expect(t, f.did, `advertise _peerlink._tcp Phone1 49152 "\x03a=2"`)
	d.Reconfirm("Phone2")

	app.Failed(CodePermission, "denied")
	expect(t, sink, "failed discovery: denied")
	expect(t, told, "15 discovery: denied")
	app.Registered("Phone1 (2)")
	expect(t, sink, `renamed Phone1 (2)`)

	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, f.did, "stop")
	app.Found("Phone2", "192.168.1.6", 50000, 0, nil)
	app.Lost("Phone2")
	app.Failed(-1, "late")
	if len(sink) > 0 || len(told) > 0 || len(f.did) > 0 {
		t.Fatal("something happened after Close")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestInjectedDiscoveryStartsAfreshWhenTheNetworkChanged(t *testing.T) {
	f := newFakeDriver()
	d, sink, _ := startFake(t, f, phone1)
	expect(t, f.did, "browse _peerlink._tcp", `advertise _peerlink._tcp Phone1 49152 "\x03a=1"`)
	app := <-f.sink
	app.Found("Stays", "10.0.0.1", 1, 0, nil)
	app.Found("Goes", "10.0.0.2", 1, 0, nil)
	expect(t, sink, "found Stays[10.0.0.1:1] []", "found Goes[10.0.0.2:1] []")
	f.sink <- nil // holds Browse up until the test is ready
	for len(f.sink) < cap(f.sink) {
		f.sink <- nil
	}
	d.NetworkChanged()
	expect(t, f.did, "stop", "browse _peerlink._tcp")
	app.Found("Stays", "10.0.0.1", 1, 0, nil)
	expect(t, sink, "found Stays[10.0.0.1:1] []")
	<-f.sink // Browse returns, and the time to find others begins
	expect(t, f.did, `advertise _peerlink._tcp Phone1 49152 "\x03a=1"`)
	expect(t, sink, "lost Goes expired")
}

func TestInjectedDiscoveryThatThrows(t *testing.T) {
	f := newFakeDriver()
	f.err = errors.New("SecurityException")
	_, sink, told := startFake(t, f, phone1)
	expect(t, sink, "failed discovery: SecurityException", "failed discovery: SecurityException")
	expect(t, told, "13 discovery: SecurityException", "13 discovery: SecurityException")
}

func TestHiddenNodeIsNotAdvertised(t *testing.T) {
	f := newFakeDriver()
	d, _, _ := startFake(t, f, core.Service{Type: "_peerlink._tcp", Instance: "x", Hidden: true})
	d.Update([]string{"a=2"})
	expect(t, f.did, "browse _peerlink._tcp")
	d.Close()
	expect(t, f.did, "stop")
}

func TestCloseOfDiscoveryThatWasNotStarted(t *testing.T) {
	d := newInjected(newFakeDriver(), nil)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(core.DiscoveryEnv{}, core.Service{}, nil); err == nil {
		t.Fatal("Start after Close returned no error")
	}
}

func TestParseAddrs(t *testing.T) {
	zones := (&discoverySink{&injected{env: core.DiscoveryEnv{
		Interfaces: func() ([]core.Interface, error) { return []core.Interface{{Index: 3, Name: "wlan0"}}, nil },
	}}})
	tests := []struct {
		text    string
		ifIndex int32
		want    []string
	}{
		{text: ""},
		{text: "x 0.0.0.0 :: 224.0.0.1 ff02::1"},
		{text: "2001:db8::1 10.0.0.1", want: []string{"10.0.0.1:7", "[2001:db8::1]:7"}},
		{text: "::ffff:10.0.0.1", want: []string{"10.0.0.1:7"}},
		{text: "fe80::1"},
		{text: "fe80::1", ifIndex: 5, want: []string{"[fe80::1%5]:7"}},
		{text: "fe80::1%4", ifIndex: 5, want: []string{"[fe80::1%4]:7"}},
		{text: "fe80::1%wlan0", want: []string{"[fe80::1%3]:7"}},
		{text: "fe80::1%eth9"},
	}
	for _, tt := range tests {
		var want []netip.AddrPort
		for _, s := range tt.want {
			want = append(want, netip.MustParseAddrPort(s))
		}
		if got := parseAddrs(tt.text, 7, zones.zones(tt.ifIndex)); !reflect.DeepEqual(got, want) {
			t.Errorf("parseAddrs(%q) on %d = %v, want %v", tt.text, tt.ifIndex, got, want)
		}
	}
	for _, port := range []int32{0, -1, 65536} {
		if got := parseAddrs("10.0.0.1", port, nil); got != nil {
			t.Errorf("parseAddrs with port %d = %v", port, got)
		}
	}
}
