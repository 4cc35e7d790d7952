package mdns

import (
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco/mdns/dnsname"
)

// Two nodes of one name on a link: the one that came later gives way, and calls
// itself "name (2)". Who came later shows in how it behaves:
//
//	we probe,  it answers            it was there: we give way
//	we probe,  it probes             tie-break (§8.2)
//	we are settled, it announces     we defend the name once, it should give way
//	… and it announces still         two links were joined: tie-break (§9)
const (
	rivalMemory    = 10 * time.Second
	rivalProbe     = 2 * time.Second
	defenceGap     = 250 * time.Millisecond
	maxRivals      = 16
	conflictWindow = time.Minute // after so many conflicts within it …
	conflictLimit  = 15
	conflictPause  = 5 * time.Second // … wait so long before each further try (§8.1)
	maxNumber      = 1000
)

// rival is another owner of our name, by its host name.
type rival struct {
	probed   time.Time // it probed last
	defended time.Time // we first defended the name against it
}

// checkConflict looks for another live owner of our name.
func (e *engine) checkConflict(items []item, i *iface, now time.Time) {
	if now.Before(e.pub.quiet) {
		return
	}
	for _, it := range items {
		if it.data.typ != dns.TypeSRV || it.ttl == 0 || !e.foreign(it.owner, it.data.name) {
			continue
		}
		if i.settled {
			e.defend(it.data, i, now)
		} else if !e.beaten(it.data, now) {
			e.rename(now)
		}
		return
	}
}

// foreign tells whether an SRV record takes our name for another host.
func (e *engine) foreign(owner, host string) bool {
	return strings.EqualFold(owner, e.pub.full) && !strings.EqualFold(host, e.pub.host)
}

// beaten tells whether the owner of d is a newcomer like us that has to give way.
func (e *engine) beaten(d rdata, now time.Time) bool {
	r := e.pub.rivals[strings.ToLower(d.name)]
	return !r.probed.IsZero() && now.Sub(r.probed) < rivalProbe && later(e.pub.srvData(), d)
}

// checkProbe looks for somebody who tries to take our name while we do.
func (e *engine) checkProbe(m *dns.Msg, i *iface, now time.Time) {
	if now.Before(e.pub.quiet) {
		return
	}
	for _, rr := range m.Ns {
		srv, ok := rr.(*dns.SRV)
		if !ok || !e.foreign(srv.Hdr.Name, srv.Target) {
			continue
		}
		it := item{}
		it.setSRV(srv, e.typ)
		it.data.typ = dns.TypeSRV
		e.pub.rival(it.data.name, now, func(r *rival) { r.probed = now })
		if !i.settled && !later(e.pub.srvData(), it.data) {
			e.rename(now)
		}
		return
	}
}

// rival changes what is known of one, in a map that stays small.
func (p *publication) rival(host string, now time.Time, change func(*rival)) rival {
	for key, r := range p.rivals {
		if now.Sub(latest(r.probed, r.defended)) > rivalMemory {
			delete(p.rivals, key)
		}
	}
	key := strings.ToLower(host)
	r, known := p.rivals[key]
	change(&r)
	if known || len(p.rivals) < maxRivals {
		p.rivals[key] = r
	}
	return r
}

// defend answers somebody who uses our name. If that does not help, both sides
// hold it for theirs, and the tie-break decides.
func (e *engine) defend(d rdata, i *iface, now time.Time) {
	first := false
	r := e.pub.rival(d.name, now, func(r *rival) {
		if first = r.defended.IsZero(); first {
			r.defended = now
		}
	})
	if !first && now.Sub(r.defended) > defenceGap && !later(e.pub.srvData(), d) {
		e.rename(now)
		return
	}
	if now.Sub(i.announcedAt) >= defenceGap {
		e.announce(i, now)
	}
}

// rename takes the next free-looking name and starts over on every interface.
func (e *engine) rename(now time.Time) {
	p := e.pub
	old := p.names
	p.number = min(p.number+1, maxNumber)
	self := p.self
	self.Instance = dnsname.Numbered(self.Instance, p.number)
	self.TXT = old.txt
	p.names = newNames(self, p.typ)
	clear(p.rivals)
	p.quiet = p.nextTry(now)
	e.log.Info("another node has this name", "name", p.self.Instance, "announced_as", self.Instance)
	for _, i := range e.ifs {
		if i.announced {
			e.withdraw(old, i)
		}
		i.announced = false
		i.announcedAt = time.Time{}
		e.restart(i, now)
	}
	e.sink.Renamed(self.Instance)
}

// withdraw takes back the records of a name that is another's. The PTR record is
// the same for both, so it stays, and so must the cache-flush bit: it would drop
// the owner's records.
func (e *engine) withdraw(old names, i *iface) {
	m := response(old.records(kSRV|kTXT, nil))
	expire(m.Answer)
	for _, rr := range m.Answer {
		rr.Header().Class &^= topBit
	}
	e.multicast(i, m)
}

// nextTry counts a conflict and returns when the next attempt may be made.
func (p *publication) nextTry(now time.Time) time.Time {
	keep := p.conflicts[:0]
	for _, t := range p.conflicts {
		if now.Sub(t) < conflictWindow {
			keep = append(keep, t)
		}
	}
	p.conflicts = append(keep, now)
	if len(p.conflicts) < conflictLimit {
		return now
	}
	p.conflicts = p.conflicts[len(p.conflicts)-conflictLimit:]
	return now.Add(conflictPause)
}
