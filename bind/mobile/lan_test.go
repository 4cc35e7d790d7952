package peerlink

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// A lan is discovery among the nodes of one test: its drivers see each other.
type lan struct {
	mu      sync.Mutex
	drivers []*lanDriver
}

type lanDriver struct {
	lan  *lan
	kind string // the type of the service
	name string
	port int32
	txt  []byte
	sink DiscoverySink
}

func (l *lan) driver() *lanDriver { return &lanDriver{lan: l} }

func (d *lanDriver) Advertise(kind, name string, port int32, txt []byte) error {
	d.lan.mu.Lock()
	defer d.lan.mu.Unlock()
	d.kind, d.name, d.port, d.txt = kind, name, port, slices.Clone(txt)
	d.join()
	for _, other := range d.lan.drivers {
		d.show(other)
	}
	return nil
}

func (d *lanDriver) Browse(kind string, sink DiscoverySink) error {
	d.lan.mu.Lock()
	defer d.lan.mu.Unlock()
	d.kind, d.sink = kind, sink
	d.join()
	for _, other := range d.lan.drivers {
		other.show(d)
	}
	return nil
}

func (d *lanDriver) StopAll() error {
	d.lan.mu.Lock()
	defer d.lan.mu.Unlock()
	d.lan.drivers = slices.DeleteFunc(d.lan.drivers, func(other *lanDriver) bool { return other == d })
	for _, other := range d.lan.drivers {
		if other.sink != nil && d.name != "" {
			other.sink.Lost(d.name)
		}
	}
	d.name, d.sink = "", nil
	return nil
}

func (d *lanDriver) join() {
	if !slices.Contains(d.lan.drivers, d) {
		d.lan.drivers = append(d.lan.drivers, d)
	}
}

func (d *lanDriver) show(to *lanDriver) {
	if to.sink != nil && d.name != "" && to.kind == d.kind {
		to.sink.Found(d.name, "127.0.0.1", d.port, 0, d.txt)
	}
}

// loopback lists the loopback interface alone.
type loopback struct{}

func (loopback) InterfacesJSON() (string, error) {
	list, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(list, func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
	return fmt.Sprintf(`[{"index":%d,"name":%q,"up":true,"loopback":true,"addrs":["127.0.0.1/8"]}]`,
		list[i].Index, list[i].Name), nil
}

// A phone is a node and what happened to it.
type phone struct {
	*Node
	events chan *Event
	fn     map[string]func(n *Node, e *Event) error // on the event goroutine
}

func (p *phone) OnEvent(e *Event) error {
	if fn := p.fn[e.Name()]; e.Kind() == EventCall && fn != nil {
		return fn(p.Node, e)
	}
	p.events <- e
	return nil
}

// newPhone returns a node on l that has not been started.
func newPhone(t *testing.T, l *lan, name string) *phone {
	t.Helper()
	p := &phone{events: make(chan *Event, 100), fn: map[string]func(*Node, *Event) error{}}
	cfg := NewConfig(name)
	cfg.SetInterfaces(loopback{})
	cfg.SetDiscovery(l.driver())
	p.Node = NewNode(cfg, p)
	t.Cleanup(func() { p.Stop(0) })
	return p
}

func (p *phone) handle(t *testing.T, name string, fn func(n *Node, e *Event) error) {
	t.Helper()
	p.fn[name] = fn
	if err := p.Register(name); err != nil {
		t.Fatal(err)
	}
}

func (p *phone) start(t *testing.T) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.want(t, EventStarted)
}

// want returns the next event, which must be of that kind.
func (p *phone) want(t *testing.T, kind int32) *Event {
	t.Helper()
	select {
	case e := <-p.events:
		if e.Kind() != kind {
			t.Fatalf("event %+v, want kind %d", e, kind)
		}
		return e
	case <-time.After(10 * time.Second):
		t.Fatalf("no event, want kind %d", kind)
		return nil
	}
}

// pair returns two running phones that know each other.
func pair(t *testing.T) (p1, p2 *phone) {
	t.Helper()
	l := new(lan)
	p1, p2 = newPhone(t, l, "Phone1"), newPhone(t, l, "Phone2")
	p1.handle(t, "add", func(n *Node, e *Event) error {
		var a, b int
		text, err := DecodeJSON(e.Data())
		if err != nil {
			return err
		}
		if _, err := fmt.Sscanf(text, "[%d,%d]", &a, &b); err != nil {
			return fmt.Errorf("arguments %s", text)
		}
		return n.Reply(e.CallID(), encode(t, fmt.Sprint(a+b)))
	})
	p1.start(t)
	p2.start(t)
	if e := p1.want(t, EventPeerUp); e.PeerName() != "Phone2" || e.PeerID() == "" || e.Addr() == "" {
		t.Fatalf("event %+v", e)
	}
	p2.want(t, EventPeerUp)
	return p1, p2
}

func encode(t *testing.T, json string) []byte {
	t.Helper()
	b, err := EncodeJSON(json)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, cbor []byte) string {
	t.Helper()
	s, err := DecodeJSON(cbor)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
