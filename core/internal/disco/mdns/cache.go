package mdns

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/disco/mdns/dnsname"
)

// What the network can make us remember. Nothing is evicted to make room: a
// flood keeps newcomers out until it has expired, but never pushes out a node
// that is known.
const (
	maxInstances       = 1024
	maxRecords         = 8192
	maxInstancesSource = 256  // first announced by one address
	maxRecordsSource   = 2048 // first announced by one address
	maxSet             = 16   // PTR, SRV or TXT records of one instance
	maxAddrs           = 64   // addresses of one host
)

const (
	goodbyeGrace = 120 * time.Millisecond // for a goodbye that a new start follows
	flushGrace   = time.Second            // RFC 6762 §10.2
	suspectGrace = 2500 * time.Millisecond
	ifaceGrace   = 5 * time.Second // an interface that went may come back
	unresolved   = 10 * time.Second
	sweepGap     = 50 * time.Millisecond
	noRefresh    = 4 // record.asked: not asked for any more
)

// origin is where a record came from.
type origin struct {
	ifx  int
	zone string // name of the interface
	loop bool   // it is the loopback interface
	src  netip.Addr
}

// record is one record as one interface brought it.
type record struct {
	data    rdata
	from    origin
	at      time.Time // last heard
	expires time.Time
	ttl     time.Duration
	asked   int           // refresh queries sent, at 80, 85, 90 and 95 % of the TTL
	jitter  time.Duration // 0 to 2 % of the TTL (§5.2), 2 to 4 % for an address
	msg     uint64        // the message that brought it last
	bye     bool          // it expires because of a goodbye
}

// due returns when the record wants something: a query, or to be removed.
func (r *record) due() time.Time {
	if r.asked >= noRefresh {
		return r.expires
	}
	return r.at.Add(r.ttl*time.Duration(80+5*r.asked)/100 + r.jitter)
}

// end makes the record expire at t, or earlier if it would have anyway.
func (r *record) end(t time.Time) {
	if t.Before(r.expires) {
		r.expires = t
	}
	r.asked = noRefresh
}

// instance is one name that a PTR record mentioned.
type instance struct {
	full string // as the PTR said
	name string
	ptr  []*record
	srv  []*record
	txt  []*record

	src   netip.Addr // charged for it
	since time.Time  // first heard of, or last complete
	asks  int        // queries sent for what is missing
	askAt time.Time

	why  disco.Reason // for what it will be lost, or was
	told bool         // the sink knows it
	last disco.Sighting
}

// host is one host name that SRV records mention.
type host struct {
	name  string // as an SRV record said
	refs  int
	addrs []*record
}

// cache holds what others said. Keys are names in lower case.
type cache struct {
	typ       string
	instances map[string]*instance
	hosts     map[string]*host
	records   int
	bySource  map[netip.Addr]int // records
	owned     map[netip.Addr]int // instances, by source
	dirty     map[string]bool    // instances to look at again
	moved     map[string]bool    // hosts whose instances are to be looked at again
	msg       uint64
	next      time.Time // nothing is due before
	swept     time.Time
}

func newCache(typ string) *cache {
	return &cache{
		typ:       typ,
		instances: map[string]*instance{},
		hosts:     map[string]*host{},
		bySource:  map[netip.Addr]int{},
		owned:     map[netip.Addr]int{},
		dirty:     map[string]bool{},
		moved:     map[string]bool{},
	}
}

// apply takes in one message.
func (c *cache) apply(items []item, from origin, now time.Time) {
	c.msg++
	for _, it := range items {
		if it.ttl == 0 {
			c.bye(it, items, now)
		} else {
			c.put(it, from, now)
		}
	}
	for _, it := range items {
		if it.flush && it.ttl > 0 {
			c.flush(it, from, now)
		}
	}
}

// set returns the records that it belongs to, nil if nobody asked for such.
func (c *cache) set(it item) (*[]*record, int) {
	switch it.data.typ {
	case dns.TypeA, dns.TypeAAAA:
		if h := c.hosts[it.owner]; h != nil {
			return &h.addrs, maxAddrs
		}
		return nil, 0
	case dns.TypePTR:
		if i := c.instances[strings.ToLower(it.data.name)]; i != nil {
			return &i.ptr, maxSet
		}
		return nil, 0
	}
	i := c.instances[it.owner]
	if i == nil {
		return nil, 0
	}
	if it.data.typ == dns.TypeSRV {
		return &i.srv, maxSet
	}
	return &i.txt, maxSet
}

func (c *cache) put(it item, from origin, now time.Time) {
	if it.data.typ == dns.TypePTR {
		c.meet(it, from, now)
	}
	set, limit := c.set(it)
	if set == nil {
		return
	}
	r := find(*set, it.data, from.ifx)
	if r == nil {
		if len(*set) >= limit || c.full(from.src) {
			return
		}
		r = &record{data: it.data}
		*set = append(*set, r)
		c.count(from.src, +1)
		c.added(it)
	} else {
		c.count(r.from.src, -1)
		c.count(from.src, +1)
		if r.from != from || r.bye || it.data.typ == dns.TypeSRV {
			c.touch(it)
		}
	}
	r.from, r.at, r.ttl, r.expires = from, now, it.ttl, now.Add(it.ttl)
	r.asked, r.bye, r.msg = 0, false, c.msg
	r.jitter = rand.N(it.ttl/50 + 1)
	if it.data.addr.IsValid() {
		r.jitter += it.ttl / 50 // the answer for the SRV record brings it
	}
	c.dueBy(r.due())
}

func find(set []*record, d rdata, ifx int) *record {
	for _, r := range set {
		if r.from.ifx == ifx && r.data == d {
			return r
		}
	}
	return nil
}

func (c *cache) full(src netip.Addr) bool {
	return c.records >= maxRecords || c.bySource[src] >= maxRecordsSource
}

func (c *cache) count(src netip.Addr, n int) {
	c.records += n
	tally(c.bySource, src, n)
}

func tally(m map[netip.Addr]int, a netip.Addr, n int) {
	if m[a] += n; m[a] <= 0 {
		delete(m, a)
	}
}

// meet makes room for an instance that is new.
func (c *cache) meet(it item, from origin, now time.Time) {
	key := strings.ToLower(it.data.name)
	if c.instances[key] != nil || c.full(from.src) ||
		len(c.instances) >= maxInstances || c.owned[from.src] >= maxInstancesSource {
		return
	}
	name, ok := dnsname.Instance(it.data.name, c.typ)
	if !ok {
		return
	}
	c.dueBy(now.Add(unresolved))
	c.instances[key] = &instance{full: it.data.name, name: name, src: from.src, since: now}
	tally(c.owned, from.src, +1)
}

func (c *cache) added(it item) {
	if it.data.typ == dns.TypeSRV {
		key := strings.ToLower(it.data.name)
		if c.hosts[key] == nil {
			c.hosts[key] = &host{name: it.data.name}
		}
		c.hosts[key].refs++
	}
	c.touch(it)
}

// touch marks the instances that it changes.
func (c *cache) touch(it item) {
	switch it.data.typ {
	case dns.TypeA, dns.TypeAAAA:
		c.moved[it.owner] = true
	case dns.TypePTR:
		c.dirty[strings.ToLower(it.data.name)] = true
	default:
		c.dirty[it.owner] = true
	}
}

// changed returns the instances to look at again, and empties the list.
func (c *cache) changed() map[string]bool {
	if len(c.moved) > 0 {
		for key, i := range c.instances {
			for _, r := range i.srv {
				if c.moved[strings.ToLower(r.data.name)] {
					c.dirty[key] = true
				}
			}
		}
		clear(c.moved)
	}
	out := c.dirty
	if len(out) > 0 {
		c.dirty = map[string]bool{}
	}
	return out
}

// bye handles a goodbye. That of a PTR or SRV record counts on every interface:
// whoever says goodbye on one is leaving.
func (c *cache) bye(it item, msg []item, now time.Time) {
	set, _ := c.set(it)
	if set == nil || it.data.typ == dns.TypePTR && c.stale(it, msg) {
		return
	}
	for _, r := range *set {
		if r.data == it.data && r.msg != c.msg {
			r.end(now.Add(goodbyeGrace))
			r.bye = true
			c.dueBy(r.expires)
		}
	}
}

// stale tells whether a PTR goodbye is that of an earlier start of the node: the
// SRV record beside it names a host that is not the present one.
func (c *cache) stale(ptr item, msg []item) bool {
	key := strings.ToLower(ptr.data.name)
	present := newest(c.instances[key].srv)
	if present == nil {
		return false
	}
	for _, it := range msg {
		if it.data.typ == dns.TypeSRV && it.owner == key && it.ttl == 0 {
			return !strings.EqualFold(it.data.name, present.data.name)
		}
	}
	return false
}

// flush ends what the sender of it has replaced.
func (c *cache) flush(it item, from origin, now time.Time) {
	set, _ := c.set(it)
	if set == nil {
		return
	}
	for _, r := range *set {
		if r.data.typ == it.data.typ && r.from.ifx == from.ifx && r.msg != c.msg && now.Sub(r.at) > flushGrace {
			r.end(now.Add(flushGrace))
			c.dueBy(r.expires)
		}
	}
}

// newest returns the record heard last, nil if there is none.
func newest(set []*record) *record {
	var best *record
	for _, r := range set {
		if best == nil || r.msg > best.msg {
			best = r
		}
	}
	return best
}

func (c *cache) dueBy(t time.Time) {
	if c.next.IsZero() || t.Before(c.next) {
		c.next = t
	}
}
