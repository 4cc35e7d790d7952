package mdns

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	answerDelay  = 20 * time.Millisecond  // and up to 100 ms more, for shared records (§6)
	answerSpread = 100 * time.Millisecond //
	moreDelay    = 400 * time.Millisecond // and up to 100 ms more, when known answers follow (§7.2)
	answerGap    = 250 * time.Millisecond // between two multicast answers
	maxPending   = 64
)

// pendKey separates the answers that are being collected. src is set for a
// querier whose known answers are still coming in.
type pendKey struct {
	ifx int
	fam family
	src netip.Addr
}

type pending struct {
	at   time.Time
	want kinds
}

func (e *engine) onQuery(p packet, i *iface, now time.Time) {
	if e.pub == nil {
		return
	}
	e.checkProbe(p.msg, i, now)
	if !i.announced || !i.settled && e.isProbe(p.msg) {
		return // what we probe for ourselves is not ours yet
	}
	want, unicast := e.wanted(p.msg.Question)
	known := e.known(p.msg.Answer)
	if len(p.msg.Question) == 0 {
		e.moreKnown(p, i, known)
		return
	}
	if want &^= known; want == 0 {
		return
	}
	switch legacy := p.src.Port() != port; {
	case legacy:
		e.unicast(p, i, want, now)
	case unicast && !e.ownAddress(p.src.Addr()):
		// On this machine the port is shared: the answer might reach another process.
		e.unicast(p, i, want, now)
	default:
		e.schedule(p, i, want, now)
	}
}

// isProbe tells whether m probes for our name.
func (e *engine) isProbe(m *dns.Msg) bool {
	for _, rr := range m.Ns {
		if strings.EqualFold(rr.Header().Name, e.pub.full) {
			return true
		}
	}
	return false
}

// wanted returns which of our records the questions ask for, and whether they
// prefer a unicast answer (§5.4).
func (e *engine) wanted(qs []dns.Question) (want kinds, unicast bool) {
	for _, q := range qs {
		k := e.match(q)
		if k != 0 && q.Qclass&topBit != 0 {
			unicast = true
		}
		want |= k
	}
	return want, unicast
}

func (e *engine) match(q dns.Question) (k kinds) {
	if c := q.Qclass &^ topBit; c != dns.ClassINET && c != dns.ClassANY {
		return 0
	}
	is := func(types ...uint16) bool {
		for _, t := range types {
			if q.Qtype == t || q.Qtype == dns.TypeANY {
				return true
			}
		}
		return false
	}
	switch {
	case strings.EqualFold(q.Name, e.typ) && is(dns.TypePTR):
		k = kPTR
	case strings.EqualFold(q.Name, e.pub.full):
		if is(dns.TypeSRV) {
			k |= kSRV
		}
		if is(dns.TypeTXT) {
			k |= kTXT
		}
	case strings.EqualFold(q.Name, e.pub.host) && is(dns.TypeA, dns.TypeAAAA, dns.TypeNSEC):
		k = kAddr
	case strings.EqualFold(q.Name, metaType) && is(dns.TypePTR):
		k = kMeta
	}
	return k
}

// known returns which of our records a querier holds already (§7.1).
func (e *engine) known(answers []dns.RR) (k kinds) {
	for _, rr := range answers {
		ttl := rr.Header().Ttl
		switch x := rr.(type) {
		case *dns.PTR:
			if ttl < ttlOther/2 {
				continue
			}
			if strings.EqualFold(x.Ptr, e.pub.full) {
				k |= kPTR
			} else if strings.EqualFold(x.Hdr.Name, metaType) && strings.EqualFold(x.Ptr, e.typ) {
				k |= kMeta
			}
		case *dns.SRV:
			if ttl >= ttlHost/2 && strings.EqualFold(x.Hdr.Name, e.pub.full) &&
				x.Port == e.pub.port && strings.EqualFold(x.Target, e.pub.host) {
				k |= kSRV
			}
		}
	}
	return k
}

// moreKnown takes in the rest of a list of known answers.
func (e *engine) moreKnown(p packet, i *iface, known kinds) {
	key := pendKey{i.Index, familyOf(p.src.Addr()), p.src.Addr()}
	if w := e.pend[key]; w != nil {
		w.want &^= known
	}
}

// schedule collects a multicast answer with others.
func (e *engine) schedule(p packet, i *iface, want kinds, now time.Time) {
	key := pendKey{ifx: i.Index, fam: familyOf(p.src.Addr())}
	at := now
	switch {
	case p.msg.Truncated && len(e.pend) < maxPending:
		key.src = p.src.Addr()
		at = now.Add(moreDelay + rand.N(answerSpread))
	case want&(kPTR|kMeta) != 0:
		at = now.Add(answerDelay + rand.N(answerSpread))
	}
	at = latest(at, i.multicastAt[key.fam].Add(answerGap))
	w := e.pend[key]
	if w == nil {
		w = &pending{at: at}
		e.pend[key] = w
	}
	w.want |= want
	w.at = earlier(w.at, at)
}

// answer sends the answers that are due and returns when the next one is.
func (e *engine) answer(now time.Time) (next time.Time) {
	for key, w := range e.pend {
		if now.Before(w.at) {
			if next.IsZero() || w.at.Before(next) {
				next = w.at
			}
			continue
		}
		delete(e.pend, key)
		i := e.ifs[key.ifx]
		if i == nil || !i.announced || w.want == 0 {
			continue
		}
		i.multicastAt[key.fam] = now
		if b := e.pack(e.reply(w.want, i)); b != nil && i.joined[key.fam] {
			e.net.multicast(i.Interface, key.fam, b)
		}
	}
	return next
}

// reply answers with the records wanted; what the querier would ask for next goes
// into the additional section (RFC 6763 §12).
func (e *engine) reply(want kinds, i *iface) *dns.Msg {
	extra := kinds(0)
	if want&kPTR != 0 {
		extra = kSRV | kTXT | kAddr
	} else if want&kSRV != 0 {
		extra = kAddr
	}
	addrs := i.addrs()
	m := response(e.pub.records(want, addrs))
	m.Extra = e.pub.records(extra&^want, addrs)
	return m
}

// unicast answers one querier, who must be a neighbour: a forged source must not
// make us send anywhere.
func (e *engine) unicast(p packet, i *iface, want kinds, now time.Time) {
	if !i.onLink(p.src.Addr()) && !e.ownAddress(p.src.Addr()) || !i.spend(now) {
		return
	}
	m := e.reply(want, i)
	if p.src.Port() != port { // §6.7
		m.Id, m.Question = p.msg.Id, p.msg.Question
		for _, rr := range append(m.Answer, m.Extra...) {
			h := rr.Header()
			h.Ttl = min(h.Ttl, ttlLegacy)
			h.Class &^= topBit
		}
	}
	if b := e.pack(m); b != nil {
		e.net.unicast(i.Interface, target(p.src), b)
	}
}

// spend takes one from the budget of unicast answers.
func (i *iface) spend(now time.Time) bool {
	if now.Sub(i.burstAt) >= time.Second {
		i.burstAt, i.burst = now, 0
	}
	i.burst++
	return i.burst <= unicastBurst
}
