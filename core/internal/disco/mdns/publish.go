package mdns

import (
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco"
)

// announceGap is kept between two announcements on one interface.
const announceGap = 200 * time.Millisecond

// step is one thing to do in the course of publishing on an interface.
type step struct {
	after time.Duration
	do    func(*engine, *iface, time.Time)
}

// The first plan announces before the probes are through (§8.1, §8.3): to be seen
// most of a second earlier is worth a rename in the rare case of a conflict. The
// first probe has just time enough to be answered by an owner on the same link,
// whose records we would otherwise push out of everybody's cache.
var (
	firstPlan = []step{
		{0, (*engine).probe},
		{25 * time.Millisecond, (*engine).announce},
		{250 * time.Millisecond, (*engine).probe},
		{500 * time.Millisecond, (*engine).probe},
		{750 * time.Millisecond, func(_ *engine, i *iface, _ time.Time) { i.settled = true }},
		{time.Second, (*engine).announce},
		{3 * time.Second, (*engine).announce},
	}
	updatePlan = []step{
		{0, (*engine).announce},
		{time.Second, (*engine).announce},
	}
)

// publication is what we announce.
type publication struct {
	names
	self      disco.Service // its Instance is the name that was asked for
	number    int           // of the name now used: 1 as asked for, 2 "name (2)"
	conflicts []time.Time   // the latest, for the rate limit
	quiet     time.Time     // not to publish before
	rivals    map[string]rival
}

func newPublication(s disco.Service, typ string) *publication {
	return &publication{names: newNames(s, typ), self: s, number: 1, rivals: map[string]rival{}}
}

// restart begins the first plan on an interface.
func (e *engine) restart(i *iface, now time.Time) {
	i.plan, i.settled = firstPlan, false
	i.planAt = latest(now, i.announcedAt.Add(announceGap), e.pub.quiet)
}

func latest(ts ...time.Time) time.Time { return slices.MaxFunc(ts, time.Time.Compare) }

// runPlans does the steps that are due and returns when the next one is.
func (e *engine) runPlans(now time.Time) (next time.Time) {
	if e.pub == nil {
		return next
	}
	for _, i := range e.ifs {
		for len(i.plan) > 0 {
			at := i.planAt.Add(i.plan[0].after)
			if now.Before(at) {
				if next.IsZero() || at.Before(next) {
					next = at
				}
				break
			}
			do := i.plan[0].do
			i.plan = i.plan[1:]
			do(e, i, now)
		}
	}
	return next
}

func (e *engine) probe(i *iface, _ time.Time) {
	srv := e.pub.srv()
	srv.Hdr.Class &^= topBit
	m := &dns.Msg{
		Question: []dns.Question{{Name: e.pub.full, Qtype: dns.TypeANY, Qclass: dns.ClassINET}},
		Ns:       []dns.RR{srv},
	}
	e.multicast(i, m)
}

func (e *engine) announce(i *iface, now time.Time) {
	i.announced, i.announcedAt = true, now
	e.multicast(i, response(e.pub.records(kService, i.addrs())))
}

// update replaces the TXT record.
func (e *engine) update(txt []string, now time.Time) {
	if e.pub == nil {
		return
	}
	e.pub.txt = txt
	for _, i := range e.ifs {
		switch {
		case i.settled:
			e.reannounce(i, now)
		case i.announced:
			e.announce(i, now) // the plan under way repeats it
		}
	}
}

func (e *engine) reannounce(i *iface, now time.Time) {
	i.plan = updatePlan
	i.planAt = latest(now, i.announcedAt.Add(announceGap))
}

// goodbye takes back what was announced, and tells whether there was anything.
func (e *engine) goodbye() (said bool) {
	if e.pub == nil {
		return false
	}
	e.send(func(i *iface) *dns.Msg {
		if !i.announced {
			return nil
		}
		said = true
		m := response(e.pub.records(kService, i.addrs()))
		expire(m.Answer)
		return m
	})
	return said
}

func expire(rrs []dns.RR) {
	for _, rr := range rrs {
		rr.Header().Ttl = 0
	}
}
