package mdns

import (
	"log/slog"
	"time"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/netio"
)

const domain = "local."

// network is what the engine sends through. Nothing of it waits.
type network interface {
	refresh() // replace broken sockets
	join(netio.Interface, family) error
	leave(netio.Interface, family)
	multicast(netio.Interface, family, []byte)
	unicast(netio.Interface, target, []byte)
}

// engine is the protocol. It is not safe for concurrent use.
type engine struct {
	log  *slog.Logger
	list func() ([]netio.Interface, error)
	sink disco.Sink
	net  network
	typ  string // "_peerlink._tcp.local."

	ifs    map[int]*iface
	scanAt time.Time
	failed bool // the sink knows that we see nothing

	pub   *publication // nil: hidden
	pend  map[pendKey]*pending
	cache *cache

	queryAt    time.Time // next question for the type
	queryPause time.Duration
	stale      []question // to ask for again
	refreshAt  time.Time
	missing    map[string]bool // instances that lack a record
	missingAt  time.Time
}

func newEngine(env disco.Env, self disco.Service, sink disco.Sink, n network) *engine {
	typ := self.Type + "." + domain
	e := &engine{
		log:     env.Log,
		list:    env.Interfaces,
		sink:    sink,
		net:     n,
		typ:     typ,
		ifs:     map[int]*iface{},
		pend:    map[pendKey]*pending{},
		cache:   newCache(typ),
		missing: map[string]bool{},
	}
	if !self.Hidden {
		e.pub = newPublication(self, typ)
	}
	return e
}

// receive takes in one datagram.
func (e *engine) receive(p packet, now time.Time) {
	i := e.arrival(p)
	if i == nil {
		return
	}
	// §11: what the group brought is from this link; what was sent to us alone
	// may have come through a router.
	if !p.group && !i.onLink(p.src.Addr()) {
		return
	}
	if !p.msg.Response {
		e.onQuery(p, i, now)
		return
	}
	if p.src.Port() == port {
		e.onResponse(p, i, now)
	}
}

func (e *engine) onResponse(p packet, i *iface, now time.Time) {
	items := itemsOf(p.msg, e.typ)
	if len(items) == 0 {
		return
	}
	if e.pub != nil {
		e.checkConflict(items, i, now)
	}
	from := origin{ifx: i.Index, zone: i.Name, loop: i.loopback(), src: p.src.Addr().WithZone("")}
	e.cache.apply(items, from, now)
	e.report(now)
}

// tick does what is due and returns when to call it next.
func (e *engine) tick(now time.Time) time.Time {
	if !now.Before(e.scanAt) {
		e.scan(false, now)
	}
	next := e.scanAt
	for _, due := range []func(time.Time) time.Time{e.runPlans, e.answer, e.browse, e.expire, e.follow} {
		if t := due(now); !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return next
}

func (e *engine) networkChanged(now time.Time) { e.scan(true, now) }

// expire asks again for what gets old and reports what is gone.
func (e *engine) expire(now time.Time) time.Time {
	e.stale = append(e.stale, e.cache.sweep(now)...)
	e.report(now)
	next := e.cache.next
	if len(e.stale) == 0 {
		return next
	}
	if now.Before(e.refreshAt) {
		return earlier(next, e.refreshAt)
	}
	e.ask(e.stale, now)
	e.stale, e.refreshAt = nil, now.Add(refreshGap)
	return next
}

// send multicasts what makeMsg returns on every interface, over both families.
func (e *engine) send(makeMsg func(*iface) *dns.Msg) {
	for _, i := range e.ifs {
		if m := makeMsg(i); m != nil {
			e.multicast(i, m)
		}
	}
}

func (e *engine) multicast(i *iface, m *dns.Msg) {
	b := e.pack(m)
	if b == nil {
		return
	}
	for _, f := range families {
		if i.joined[f] {
			e.net.multicast(i.Interface, f, b)
		}
	}
}

// pack returns nil for what does not fit into a message, which Start and Update
// have ruled out for our own records.
func (e *engine) pack(m *dns.Msg) []byte {
	m.Compress = true
	b, err := m.Pack()
	if err != nil || len(b) > maxDatagram {
		e.log.Debug("mdns message not sent", "size", len(b), "err", err)
		return nil
	}
	return b
}
