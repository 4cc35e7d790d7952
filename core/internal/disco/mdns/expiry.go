package mdns

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco"
)

// suspect makes an instance expire soon unless it is heard again.
func (c *cache) suspect(i *instance, now time.Time) {
	for _, r := range i.srv {
		r.end(now.Add(suspectGrace))
		c.dueBy(r.expires)
	}
}

// forget makes what interface ifx brought expire soon.
func (c *cache) forget(ifx int, now time.Time) {
	c.each(func(r *record) {
		if r.from.ifx == ifx {
			r.end(now.Add(ifaceGrace))
			c.dueBy(r.expires)
		}
	})
}

func (c *cache) each(f func(*record)) {
	for _, i := range c.instances {
		for _, set := range [][]*record{i.ptr, i.srv, i.txt} {
			for _, r := range set {
				f(r)
			}
		}
	}
	for _, h := range c.hosts {
		for _, r := range h.addrs {
			f(r)
		}
	}
}

// question asks for one set of records.
type question struct {
	name string
	typ  uint16
}

// sweep removes what has expired and returns what to ask for again.
func (c *cache) sweep(now time.Time) []question {
	if c.next.IsZero() || now.Before(c.next) {
		return nil
	}
	if now.Sub(c.swept) < sweepGap {
		c.next = c.swept.Add(sweepGap)
		return nil
	}
	c.next, c.swept = time.Time{}, now
	var qs []question
	for key, i := range c.instances {
		qs = append(qs, c.sweepInstance(key, i, now)...)
	}
	for key, h := range c.hosts {
		before := len(h.addrs)
		ask := c.sweepSet(&h.addrs, now, nil)
		if len(h.addrs) != before {
			c.moved[key] = true
		}
		if ask {
			qs = append(qs, question{h.name, dns.TypeA}, question{h.name, dns.TypeAAAA})
		}
	}
	return qs
}

func (c *cache) sweepInstance(key string, i *instance, now time.Time) (qs []question) {
	gone := func(r *record) {
		c.dirty[key] = true
		if r.data.typ == dns.TypeSRV {
			c.unref(r.data.name)
		}
		if r.data.typ != dns.TypeTXT {
			i.why = disco.Expired
			if r.bye {
				i.why = disco.Removed
			}
		}
	}
	if c.sweepSet(&i.ptr, now, gone) {
		qs = append(qs, question{c.typ, dns.TypePTR})
	}
	if c.sweepSet(&i.srv, now, gone) {
		qs = append(qs, question{i.full, dns.TypeSRV})
	}
	if c.sweepSet(&i.txt, now, gone) {
		qs = append(qs, question{i.full, dns.TypeTXT})
	}
	if len(i.srv) == 0 && !i.told {
		if now.Sub(i.since) >= unresolved {
			c.drop(i.ptr)
			i.ptr = nil
		} else {
			c.dueBy(i.since.Add(unresolved))
		}
	}
	if len(i.ptr) == 0 {
		c.remove(key, i)
	}
	return qs
}

// sweepSet tells whether a record of the set wants to be refreshed.
func (c *cache) sweepSet(set *[]*record, now time.Time, gone func(*record)) (ask bool) {
	*set = slices.DeleteFunc(*set, func(r *record) bool {
		if now.Before(r.expires) {
			return false
		}
		c.count(r.from.src, -1)
		if gone != nil {
			gone(r)
		}
		return true
	})
	for _, r := range *set {
		for r.asked < noRefresh && !now.Before(r.due()) {
			r.asked++
			ask = true
		}
		c.dueBy(r.due())
	}
	return ask
}

func (c *cache) unref(name string) {
	key := strings.ToLower(name)
	h := c.hosts[key]
	if h == nil {
		return
	}
	if h.refs--; h.refs > 0 {
		return
	}
	c.drop(h.addrs)
	delete(c.hosts, key)
}

// remove takes an instance out; report still finds it among the lost.
func (c *cache) remove(key string, i *instance) {
	for _, r := range i.srv {
		c.unref(r.data.name)
	}
	c.drop(i.srv)
	c.drop(i.txt)
	i.srv, i.txt = nil, nil
	tally(c.owned, i.src, -1)
	c.dirty[key] = true
	if !i.told {
		delete(c.instances, key)
	}
}

func (c *cache) drop(set []*record) {
	for _, r := range set {
		c.count(r.from.src, -1)
	}
}
