package link

import (
	"bytes"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/peerlink/peerlink/core/internal/seal"
	"github.com/peerlink/peerlink/core/internal/wire"
	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var (
	epoch  = time.Unix(1_000_000, 0)
	addrA  = netip.MustParseAddrPort("10.0.0.1:1")
	addrB  = netip.MustParseAddrPort("10.0.0.2:2")
	addrA2 = netip.MustParseAddrPort("10.0.0.77:1") // where A moves to
	evil   = netip.MustParseAddrPort("10.0.0.66:6")
)

// keys returns those of a handshake, for both ends.
func keys(t testing.TB) (a, b *seal.Keys) {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	one, err := seal.NewIdentity(rand.Reader)
	check(err)
	two, err := seal.NewIdentity(rand.Reader)
	check(err)
	x, m1, err := seal.Initiate(one, seal.OpenRealm(), []byte("p"), rand.Reader)
	check(err)
	y, m2, err := seal.Respond(two, seal.OpenRealm(), []byte("p"), m1, nil, rand.Reader)
	check(err)
	_, err = x.ReadResponse(m2)
	check(err)
	m3, a, err := x.Finish(nil)
	check(err)
	_, b, err = y.ReadFinish(m3)
	check(err)
	return a, b
}

func cipherOf(t testing.TB, k *seal.Keys) *seal.Cipher {
	t.Helper()
	c, err := seal.NewCipher(k, seal.ChaCha, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// faults are those of a simulated link.
type faults struct {
	loss, duplicate, reorder, corrupt float64
	delay                             time.Duration
	mtu                               int
}

// sim is two sessions and what is between them. B answers each call with its
// arguments.
type sim struct {
	t      testing.TB
	now    time.Time
	random *mathrand.Rand
	faults faults
	a, b   *simEnd

	sent, lost, begun int
	bytes             int
}

type simEnd struct {
	*Session
	sim     *sim
	addr    netip.AddrPort
	to      *simEnd
	in      []simPacket
	waiting map[uint64][]byte // calls of ours, and their arguments
	runs    map[uint64]int
	failed  map[uint64]Kind
	freed   map[*Message]int
	silent  bool // it does not answer calls
	err     error
}

type simPacket struct {
	at   time.Time
	from netip.AddrPort
	b    []byte
}

func newSim(t testing.TB, f faults) *sim {
	t.Helper()
	s := &sim{t: t, now: epoch, random: mathrand.New(mathrand.NewPCG(7, 8)), faults: f}
	ka, kb := keys(t)
	s.a, s.b = s.end(cipherOf(t, ka), addrA, addrB), s.end(cipherOf(t, kb), addrB, addrA)
	s.a.to, s.b.to = s.b, s.a
	return s
}

func (s *sim) end(c *seal.Cipher, self, peer netip.AddrPort) *simEnd {
	e := &simEnd{sim: s, addr: self, waiting: map[uint64][]byte{}, runs: map[uint64]int{}, failed: map[uint64]Kind{}, freed: map[*Message]int{}}
	e.Session = NewSession(Config{
		Cipher: c, Remote: 1, Addr: peer, MaxMessage: 16 << 20, Budget: 32 << 20, Random: rand.Reader,
		Waiting: func(id uint64) bool { _, ok := e.waiting[id]; return ok },
		Free:    func(m *Message) { e.freed[m]++ },
	}, s.now)
	return e
}

// call sends a call with so many bytes of arguments.
func (e *simEnd) call(id uint64, size int) *Message {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(uint64(i)*7 + id)
	}
	m := &Message{ID: id, Name: []byte("echo"), Codec: 2, Data: data}
	e.waiting[id] = data
	e.Send(m, e.sim.now)
	m.Owner = m
	return m
}

// flush sends what is due.
func (e *simEnd) flush() {
	s := e.sim
	buf := make([]byte, 0, wire.MaxDatagram)
	for {
		p, to, ok := e.Next(s.now, buf)
		if !ok {
			return
		}
		if len(p) > wire.MaxDatagram || len(p) == 0 {
			s.t.Fatalf("a packet of %d bytes", len(p))
		}
		s.sent++
		s.bytes += len(p)
		f, r := &s.faults, s.random
		if to != e.to.addr || f.mtu > 0 && len(p) > f.mtu || r.Float64() < f.loss {
			s.lost++
			continue
		}
		at := s.now.Add(f.delay)
		if r.Float64() < f.reorder {
			at = at.Add(f.delay + 10*time.Millisecond)
		}
		copies := 1
		if r.Float64() < f.duplicate {
			copies = 2
		}
		for range copies {
			b := bytes.Clone(p)
			if r.Float64() < f.corrupt {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
			e.to.in = append(e.to.in, simPacket{at, e.addr, b})
		}
	}
}

// take handles what has arrived.
func (e *simEnd) take() {
	s := e.sim
	slices.SortStableFunc(e.in, func(a, b simPacket) int { return a.at.Compare(b.at) })
	for len(e.in) > 0 && !e.in[0].at.After(s.now) {
		p := e.in[0]
		e.in = e.in[1:]
		h, err := wire.ParseHeader(p.b)
		if err != nil {
			continue
		}
		in, err := e.Receive(s.now, p.b, h, p.from, nil)
		if err != nil && !errors.Is(err, ErrDropped) {
			e.err = err
		}
		for i := range in {
			e.handle(&in[i])
		}
	}
}

func (e *simEnd) handle(in *Incoming) {
	s := e.sim
	switch in.Kind {
	case Call:
		e.runs[in.ID]++
		s.begun++
		if !e.silent {
			e.Send(&Message{Reply: true, ID: in.ID, Codec: in.Codec, Data: bytes.Clone(in.Data)}, s.now)
		}
	case Stale, TooLarge, Busy:
		e.Send(&Message{Reply: true, ID: in.ID, Status: uint64(in.Kind), Data: []byte{0}}, s.now)
	case Reply:
		want, ok := e.waiting[in.ID]
		if !ok {
			return
		}
		delete(e.waiting, in.ID)
		if in.Status != 0 {
			e.failed[in.ID] = Kind(in.Status)
		} else if !bytes.Equal(in.Data, want) {
			s.t.Errorf("call %d: %d bytes came back of %d", in.ID, len(in.Data), len(want))
		}
	case LostCall:
		delete(e.waiting, in.ID)
		e.failed[in.ID] = LostCall
	}
}

// run lets time go on until done, or for as long as most.
func (s *sim) run(most time.Duration, done func() bool) bool {
	end := s.now.Add(most)
	for !s.now.After(end) {
		for _, e := range []*simEnd{s.a, s.b} {
			e.take()
		}
		if done() {
			return true
		}
		for _, e := range []*simEnd{s.a, s.b} {
			if at, ok := e.Deadline(s.now); ok && !at.After(s.now) {
				e.Tick(s.now)
			}
			e.flush()
		}
		s.now = s.next(end.Add(1))
	}
	return done()
}

// next is when something happens, after now.
func (s *sim) next(at time.Time) time.Time {
	soon := s.now.Add(50 * time.Microsecond) // what is due now already has been seen to
	for _, e := range []*simEnd{s.a, s.b} {
		for _, p := range e.in {
			if p.at.Before(at) {
				at = p.at
			}
		}
		if due, ok := e.Deadline(s.now); ok && due.Before(at) {
			at = due
		}
	}
	if at.Before(soon) {
		return soon
	}
	return at
}

func (s *sim) answered() bool { return len(s.a.waiting) == 0 && len(s.b.waiting) == 0 }

func addrPort(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 9)
}
