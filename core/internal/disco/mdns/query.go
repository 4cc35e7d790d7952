package mdns

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	firstQuery = 20 * time.Millisecond // and up to as much later
	queryStart = time.Second
	queryMax   = 60 * time.Second
	refreshGap = 250 * time.Millisecond // between two rounds of refreshing
	maxQuery   = 1200                   // bytes of questions or answers in a query, about
)

// What an instance lacks is asked for maxAsks times, askEvery apart, of at most
// askBatch instances at a time: a flood of names must not make us flood.
const (
	maxAsks  = 3
	askEvery = time.Second
	askBatch = 24
	askPause = 100 * time.Millisecond
)

// askSoon starts the series of questions for the type over.
func (e *engine) askSoon(now time.Time) {
	e.queryPause = 0
	e.queryAt = now.Add(firstQuery + rand.N(firstQuery))
}

// browse asks who offers the service, less and less often.
func (e *engine) browse(now time.Time) time.Time {
	if e.queryAt.IsZero() || now.Before(e.queryAt) {
		return e.queryAt
	}
	e.queryPause = min(max(2*e.queryPause, queryStart), queryMax)
	e.queryAt = now.Add(e.queryPause + rand.N(e.queryPause/10))
	e.ask([]question{{e.typ, dns.TypePTR}}, now)
	return e.queryAt
}

// ask multicasts questions on every interface.
func (e *engine) ask(qs []question, now time.Time) {
	done := map[question]bool{}
	var batch []dns.Question
	size := 0
	for _, q := range qs {
		if done[q] {
			continue
		}
		done[q] = true
		batch = append(batch, dns.Question{Name: q.name, Qtype: q.typ, Qclass: dns.ClassINET})
		size += 6 + len(strings.TrimSuffix(q.name, e.typ)) // the type is compressed
		if size > maxQuery {
			e.sendQuery(batch, now)
			batch, size = nil, 0
		}
	}
	if len(batch) > 0 {
		e.sendQuery(batch, now)
	}
}

func (e *engine) sendQuery(qs []dns.Question, now time.Time) {
	browsing := false
	for _, q := range qs {
		browsing = browsing || q.Qtype == dns.TypePTR
	}
	for _, i := range e.ifs {
		m := &dns.Msg{Question: qs}
		if browsing {
			m = e.addKnown(m, i, now)
		}
		e.multicast(i, m)
	}
}

// addKnown adds the answers we know (§7.1). What does not fit goes into further
// messages, announced by the TC bit (§7.2); the last one is returned.
func (e *engine) addKnown(m *dns.Msg, i *iface, now time.Time) *dns.Msg {
	size := 0
	for _, in := range e.cache.instances {
		for _, r := range in.ptr {
			left := r.expires.Sub(now)
			if r.from.ifx != i.Index || r.bye || left <= r.ttl/2 {
				continue
			}
			if size > maxQuery {
				m.Truncated = true
				e.multicast(i, m)
				m, size = &dns.Msg{}, 0
			}
			m.Answer = append(m.Answer, &dns.PTR{Hdr: header(e.typ, dns.TypePTR, uint32(left/time.Second)), Ptr: in.full})
			size += 14 + len(in.name)
		}
	}
	return m
}

// want remembers that an instance lacks something.
func (e *engine) want(key string, i *instance, now time.Time) {
	if e.missing[key] || i.asks >= maxAsks {
		return
	}
	e.missing[key] = true
	i.askAt = now.Add(firstQuery)
	if e.missingAt.IsZero() || i.askAt.Before(e.missingAt) {
		e.missingAt = i.askAt
	}
}

// follow asks for what instances lack.
func (e *engine) follow(now time.Time) time.Time {
	if len(e.missing) == 0 {
		e.missingAt = time.Time{}
		return time.Time{}
	}
	if now.Before(e.missingAt) {
		return e.missingAt
	}
	e.missingAt = now.Add(askEvery)
	var qs []question
	asked := 0
	for key := range e.missing {
		i := e.cache.instances[key]
		switch {
		case i == nil:
			delete(e.missing, key)
		case now.Before(i.askAt):
			e.missingAt = earlier(e.missingAt, i.askAt)
		case i.asks >= maxAsks: // give up, and report what there is
			delete(e.missing, key)
			e.cache.dirty[key] = true
		case asked == askBatch:
			e.missingAt = now.Add(askPause)
		default:
			asked++
			i.asks++
			i.askAt = now.Add(askEvery)
			qs = append(qs, e.cache.lacks(i)...)
		}
	}
	e.ask(qs, now)
	e.report(now)
	return e.missingAt
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// lacks returns what to ask to make an instance complete.
func (c *cache) lacks(i *instance) []question {
	srv := newest(i.srv)
	switch {
	case srv == nil || srv.asked >= noRefresh: // none, or under suspicion
		return []question{{i.full, dns.TypeSRV}, {i.full, dns.TypeTXT}}
	case len(c.addrsOf(srv)) == 0:
		return []question{{srv.data.name, dns.TypeA}, {srv.data.name, dns.TypeAAAA}}
	case len(i.txt) == 0:
		return []question{{i.full, dns.TypeTXT}}
	}
	return nil
}

// reconfirm asks whether an instance is still there (§10.4).
func (e *engine) reconfirm(name string, now time.Time) {
	for key, i := range e.cache.instances {
		if i.told && i.name == name {
			e.cache.suspect(i, now)
			i.asks, i.askAt = 0, now
			e.missing[key] = true
			e.missingAt = now
			return
		}
	}
}
