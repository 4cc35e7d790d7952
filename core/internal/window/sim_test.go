package window

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"
)

// An event is something that happens at a moment of virtual time.
type event struct {
	at  time.Time
	seq int
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if !e[i].at.Equal(e[j].at) {
		return e[i].at.Before(e[j].at)
	}
	return e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// A sim runs two endpoints over two links in virtual time.
type sim struct {
	t      *testing.T
	now    time.Time
	rng    *rand.Rand
	events events
	seq    int
	a, b   *endpoint
}

// A link carries packets one way.
type link struct {
	delay, jitter time.Duration
	loss, dup     float64
	rate          float64 // bytes per second; 0 is no limit
	buffer        int     // bytes that wait for the rate
	free          time.Time
	carried, lost int
}

// An item is what an endpoint wants to get to the other.
type item struct {
	size      int
	copies    int // in packets that are tracked
	arrived   bool
	acked     bool
	waiting   bool // to be sent (again)
	since     time.Time
	delivered time.Time
}

type datagram struct {
	number    uint64
	eliciting bool
	items     []*item
	ranges    []Range
	delay     time.Duration
}

type endpoint struct {
	sim      *sim
	sent     Sent[*item]
	received Received
	seen     map[uint64]bool // in place of the replay window
	out      *link
	peer     *endpoint
	queue    []*item
	bulk     bool // held back by the congestion window
	timer    time.Time
	resent   int
	bytes    int // that came for the first time
}

func newSim(t *testing.T, seed uint64, out, back link) *sim {
	s := &sim{t: t, now: start, rng: rand.New(rand.NewPCG(seed, 0))}
	s.a = &endpoint{sim: s, out: &out, seen: map[uint64]bool{}}
	s.b = &endpoint{sim: s, out: &back, seen: map[uint64]bool{}}
	s.a.peer, s.b.peer = s.b, s.a
	for _, e := range []*endpoint{s.a, s.b} { // the handshake
		e.sent.RTT.Sample(out.delay+back.delay, 0)
	}
	return s
}

func (s *sim) at(when time.Time, do func()) {
	s.seq++
	heap.Push(&s.events, event{when, s.seq, do})
}

func (s *sim) run(until time.Time) {
	for len(s.events) > 0 && !s.events[0].at.After(until) {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
	}
	s.now = until
}

// carry brings d to the peer, or not.
func (s *sim) carry(l *link, d datagram, size int, to *endpoint) {
	l.carried++
	if l.free.Before(s.now) {
		l.free = s.now
	}
	leaves := s.now
	if l.rate > 0 {
		if l.free.Sub(s.now).Seconds()*l.rate > float64(l.buffer) {
			l.lost++
			return
		}
		l.free = l.free.Add(time.Duration(float64(size) / l.rate * 1e9))
		leaves = l.free
	}
	if s.rng.Float64() < l.loss {
		l.lost++
		return
	}
	for copies := 0; copies == 0 || copies == 1 && s.rng.Float64() < l.dup; copies++ {
		late := time.Duration(0)
		if l.jitter > 0 {
			late = time.Duration(s.rng.Int64N(int64(l.jitter)))
		}
		s.at(leaves.Add(l.delay+late), func() { to.receive(d) })
	}
}

func (e *endpoint) offer(size int) *item {
	it := &item{size: size, waiting: true, since: e.sim.now}
	e.queue = append(e.queue, it)
	return it
}

// pump sends what may be sent, then sets the timer.
func (e *endpoint) pump() {
	for len(e.queue) > 0 && !e.sent.Full() {
		it := e.queue[0]
		if it.acked {
			it.waiting = false
			e.queue = e.queue[1:]
			continue
		}
		if e.bulk && !e.sent.CanSend(it.size) {
			break
		}
		e.queue = e.queue[1:]
		it.waiting = false
		e.send(it)
	}
	if due, ok := e.received.Due(); ok && !due.After(e.sim.now) {
		e.send()
	}
	e.arm()
}

func (e *endpoint) send(items ...*item) {
	size := 40
	for _, it := range items {
		it.copies++
		size += it.size
	}
	d := datagram{eliciting: len(items) > 0, items: items}
	acks := NoAck
	if e.received.Owes() {
		d.ranges, d.delay = e.received.Ack(e.sim.now, nil)
		acks = d.ranges[0].Last
	}
	d.number = e.sent.Add(e.sim.now, size, d.eliciting, acks, items)
	e.sim.carry(e.out, d, size, e.peer)
}

func (e *endpoint) arm() {
	next, ok := e.sent.Deadline()
	if due, owes := e.received.Due(); owes && (!ok || due.Before(next)) {
		next, ok = due, true
	}
	if !ok || next.Equal(e.timer) {
		return
	}
	if next.Before(e.sim.now) {
		next = e.sim.now
	}
	e.timer = next
	e.sim.at(next, func() {
		if e.timer.Equal(next) {
			e.timer = time.Time{}
			e.tick()
		}
	})
}

func (e *endpoint) tick() {
	if probes := e.sent.Timeout(e.sim.now, e.lost); probes > 0 {
		var items []*item
		e.sent.Probe(probes, func(it *item) { items = append(items, it) })
		for i := range probes {
			e.resent++
			e.send(items[i%len(items)])
		}
	}
	e.pump()
}

func (e *endpoint) receive(d datagram) {
	if e.seen[d.number] {
		return
	}
	e.seen[d.number] = true
	e.received.Add(e.sim.now, d.number, d.eliciting)
	for _, it := range d.items {
		if !it.arrived {
			it.arrived, it.delivered = true, e.sim.now
			e.bytes += it.size
		}
	}
	if _, err := e.sent.Ack(e.sim.now, d.ranges, d.delay, e.acked, e.lost); err != nil {
		e.sim.t.Fatal(err)
	}
	if n, ok := e.sent.AckedAck(); ok {
		e.received.Forget(n)
	}
	e.pump()
}

func (e *endpoint) back(it *item) {
	if it.copies--; it.copies < 0 {
		e.sim.t.Fatal("a frame came back twice")
	}
}

func (e *endpoint) acked(it *item) {
	e.back(it)
	if !it.arrived {
		e.sim.t.Fatal("acknowledged, but it never arrived")
	}
	it.acked = true
}

func (e *endpoint) lost(it *item) {
	e.back(it)
	if !it.acked && !it.waiting {
		it.waiting = true
		e.resent++
		e.queue = append(e.queue, it)
	}
}

// settled checks that everything was delivered and came back.
func (e *endpoint) settled(items []*item) {
	e.sim.t.Helper()
	for i, it := range items {
		if !it.arrived || !it.acked || it.copies != 0 {
			e.sim.t.Fatalf("item %d: %+v", i, *it)
		}
	}
	if e.sent.Unacked() != 0 || e.sent.InFlight() != 0 {
		e.sim.t.Fatalf("%d packets and %d bytes left", e.sent.Unacked(), e.sent.InFlight())
	}
}

// calls offers an item at both ends every now and then, and returns them.
func (s *sim) calls(n int, every time.Duration) (a, b []*item) {
	for i := range n {
		s.at(start.Add(time.Duration(i)*every), func() {
			a = append(a, s.a.offer(s.rng.IntN(1000)))
			b = append(b, s.b.offer(s.rng.IntN(1000)))
			s.a.pump()
			s.b.pump()
		})
	}
	s.run(start.Add(time.Duration(n)*every + time.Minute))
	return a, b
}

func slowest(items []*item) (worst time.Duration) {
	for _, it := range items {
		worst = max(worst, it.delivered.Sub(it.since))
	}
	return worst
}

func TestEverythingArrivesAndComesBackOnce(t *testing.T) {
	for seed := range uint64(15) {
		bad := link{delay: 10 * ms, jitter: 15 * ms, loss: 0.2, dup: 0.1}
		s := newSim(t, seed, bad, bad)
		a, b := s.calls(300, time.Duration(seed)*ms)
		s.a.settled(a)
		s.b.settled(b)
	}
}

func TestNothingIsSentTwiceWithoutLoss(t *testing.T) {
	for _, every := range []time.Duration{0, ms / 10, ms, 7 * ms, 100 * ms} {
		for _, delay := range []time.Duration{ms / 10, ms, 10 * ms, 100 * ms} {
			good := link{delay: delay}
			s := newSim(t, 1, good, good)
			a, b := s.calls(500, every)
			s.a.settled(a)
			s.b.settled(b)
			if n := s.a.resent + s.b.resent; n > 0 {
				t.Errorf("one in %v over %v: %d sent again", every, delay, n)
			}
		}
	}
}

func TestThirtyPercentLoss(t *testing.T) {
	var worst time.Duration
	for seed := range uint64(20) {
		bad := link{delay: 10 * ms, loss: 0.3}
		s := newSim(t, seed, bad, bad)
		a, b := s.calls(100, 50*ms)
		s.a.settled(a)
		s.b.settled(b)
		worst = max(worst, slowest(a), slowest(b))
	}
	t.Logf("the slowest of 4000 took %v", worst)
	if worst > 5*time.Second {
		t.Errorf("one took %v", worst)
	}
}

// TestOutage checks that both ends get going after nothing passed for a while.
func TestOutage(t *testing.T) {
	l := link{delay: 5 * ms}
	s := newSim(t, 1, l, l)
	s.at(at(100*ms), func() { s.a.out.loss, s.b.out.loss = 1, 1 })
	s.at(at(1100*ms), func() { s.a.out.loss, s.b.out.loss = 0, 0 })
	a, b := s.calls(200, 10*ms)
	s.a.settled(a)
	s.b.settled(b)
	if worst := max(slowest(a), slowest(b)); worst > 1500*ms {
		t.Errorf("one took %v", worst)
	}
}

// bulk sends for d as much as possible from a to b and returns the bytes per second.
func (s *sim) bulk(d time.Duration) float64 {
	const size = mtu - 40
	e := s.a
	e.bulk = true
	var refill func()
	refill = func() {
		for len(e.queue) < 4096 {
			e.offer(size)
		}
		e.pump()
		s.at(s.now.Add(ms), refill)
	}
	s.at(start, refill)
	s.run(start.Add(d))
	return float64(s.b.bytes) / d.Seconds()
}

const rate = 100e6 / 8 // 100 Mbit/s

func TestBulk(t *testing.T) {
	for _, tt := range []struct {
		name     string
		loss     float64
		rtt      time.Duration
		buffer   int
		atLeast  float64 // of the rate
		mostLost float64 // of the packets
	}{
		{"clean", 0, 20 * ms, 1 << 20, 0.9, 0.02},
		{"1 % random loss", 0.01, 20 * ms, 1 << 20, 0.5, 0.03},
		{"1 % random loss, LAN", 0.01, ms, 1 << 20, 0.5, 0.03},
		{"shallow buffer", 0, 20 * ms, 30_000, 0.5, 0.03},
		{"shallow buffer, LAN", 0, ms, 30_000, 0.5, 0.03},
		{"deep buffer", 0, 20 * ms, 8 << 20, 0.9, 0.01},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(t, 7,
				link{delay: tt.rtt / 2, loss: tt.loss, rate: rate, buffer: tt.buffer},
				link{delay: tt.rtt / 2, loss: tt.loss})
			got := s.bulk(4*time.Second) / rate
			lost := float64(s.a.out.lost) / float64(s.a.out.carried)
			t.Logf("%.0f %% of the rate, %.2f %% lost, window %d, RTT %v", got*100, lost*100, s.a.sent.Congestion.Window(), s.a.sent.RTT.Smoothed())
			if got < tt.atLeast {
				t.Errorf("%.0f %% of the rate", got*100)
			}
			if lost > tt.mostLost {
				t.Errorf("%.2f %% lost", lost*100)
			}
		})
	}
}

// TestBulkBacksOff takes most of the rate away in the middle.
func TestBulkBacksOff(t *testing.T) {
	s := newSim(t, 7, link{delay: 10 * ms, rate: rate, buffer: 60_000}, link{delay: 10 * ms})
	s.at(at(2*time.Second), func() { s.a.out.rate = rate / 20 })
	var carried, lost int
	s.at(at(5*time.Second), func() { carried, lost = s.a.out.carried, s.a.out.lost })
	s.bulk(12 * time.Second)
	// what fits into the slow path: 12.5 kB and the buffer
	if w := s.a.sent.Congestion.Window(); w > 100_000 {
		t.Errorf("window %d", w)
	}
	share := float64(s.a.out.lost-lost) / float64(s.a.out.carried-carried)
	if share > 0.04 {
		t.Errorf("%.1f %% lost after it had time to adapt", share*100)
	}
}
