package link

import (
	"errors"
	"testing"
	"time"

	"github.com/peerlink/peerlink/core/internal/wire"
)

// Calls of all sizes come through, once each, over whatever link; and nothing is left.
func TestCallsOverALossyLink(t *testing.T) {
	for name, f := range map[string]faults{
		"perfect":      {},
		"delay":        {delay: 20 * time.Millisecond},
		"loss 10 %":    {loss: 0.1, delay: 5 * time.Millisecond},
		"loss 30 %":    {loss: 0.3, delay: time.Millisecond},
		"duplicates":   {duplicate: 0.3, delay: time.Millisecond},
		"reorder":      {reorder: 0.25, delay: 2 * time.Millisecond},
		"corruption":   {corrupt: 0.1, delay: time.Millisecond},
		"small":        {mtu: 800, delay: time.Millisecond},
		"very small":   {mtu: 548, delay: time.Millisecond, loss: 0.1},
		"all together": {loss: 0.1, duplicate: 0.1, reorder: 0.2, corrupt: 0.05, delay: 5 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, f)
			id := uint64(0)
			for round := range 30 {
				for _, size := range []int{0, 1, 500, 1100, 1180, 1181, 1300, 5000, 40_000 * (round % 3)} {
					id++
					s.a.call(id, size)
					s.b.call(id, size)
				}
				if !s.run(10*time.Second, s.answered) {
					t.Fatalf("round %d: %d and %d calls are not answered", round, len(s.a.waiting), len(s.b.waiting))
				}
			}
			s.run(5*time.Second, func() bool { return s.a.Idle() && s.b.Idle() })
			for _, e := range []*simEnd{s.a, s.b} {
				for id, k := range e.runs {
					if k != 1 {
						t.Errorf("call %d was begun %d times", id, k)
					}
				}
				for m, k := range e.freed {
					if k != 1 {
						t.Errorf("%d was given back %d times", m.ID, k)
					}
				}
				st := e.Stats()
				if len(e.runs) != int(id) || len(e.failed) > 0 || e.err != nil {
					t.Errorf("%d of %d calls were begun, %d failed, %v", len(e.runs), id, len(e.failed), e.err)
				}
				if st.OwedReplies != 0 || st.IncompleteBytes != 0 || st.Unacknowledged != 0 || e.owedBytes != 0 || len(e.parts.open) > 0 {
					t.Errorf("left: %+v, %d bytes owed", st, e.owedBytes)
				}
			}
			if f.loss+float64(f.mtu) > 0 && s.lost == 0 {
				t.Error("nothing was lost")
			}
		})
	}
}

// Keys change often, under loss.
func TestKeyUpdates(t *testing.T) {
	s := newSim(t, faults{loss: 0.15, reorder: 0.1, delay: 3 * time.Millisecond})
	s.a.UpdateKeysAfter(50)
	s.b.UpdateKeysAfter(70)
	for id := range uint64(2000) {
		s.a.call(id+1, int(id%3)*900)
		if !s.run(10*time.Second, s.answered) {
			t.Fatalf("call %d", id)
		}
	}
	if s.a.err != nil || s.b.err != nil {
		t.Error(s.a.err, s.b.err)
	}
}

// Canceled calls end on both sides and are not sent any more.
func TestDroppedCalls(t *testing.T) {
	s := newSim(t, faults{loss: 0.3, delay: time.Millisecond})
	s.b.silent = true
	var all []*Message
	for id := range uint64(500) {
		m := s.a.call(id+1, int(id%5)*2000)
		all = append(all, m)
		s.run(2*time.Millisecond, func() bool { return false })
		delete(s.a.waiting, id+1)
		s.a.Drop(m)
		s.a.SendCancel(id + 1)
	}
	if !s.run(30*time.Second, func() bool { return s.a.Idle() && s.b.Idle() }) {
		t.Errorf("under way: %d and %d", s.a.sent.Unacked(), s.b.sent.Unacked())
	}
	for _, m := range all {
		if s.a.freed[m] != 1 {
			t.Fatalf("call %d was given back %d times", m.ID, s.a.freed[m])
		}
	}
}

// Closing gives back all, once, and says so.
func TestClose(t *testing.T) {
	s := newSim(t, faults{loss: 0.2, delay: time.Millisecond})
	var all []*Message
	for id := range uint64(100) {
		all = append(all, s.a.call(id+1, int(id%4)*3000))
	}
	s.run(5*time.Millisecond, func() bool { return false })
	for _, m := range all[:50] {
		s.a.Drop(m)
	}
	s.a.Close(2, "bye")
	for _, m := range all {
		s.a.Drop(m)
		if s.a.freed[m] != 1 {
			t.Errorf("call %d was given back %d times", m.ID, s.a.freed[m])
		}
	}
	s.faults = faults{}
	s.a.flush()
	p := s.b.in[len(s.b.in)-1]
	h, _ := wire.ParseHeader(p.b)
	in, err := s.b.Receive(s.now, p.b, h, p.from, nil)
	if err != nil || len(in) != 1 || in[0].Kind != Closed || in[0].Status != 2 || string(in[0].Data) != "bye" {
		t.Errorf("%+v, %v", in, err)
	}
	if _, ok := s.a.Deadline(s.now); ok {
		t.Error("something is due in a closed session")
	}
	s.a.Close(3, "")
	if _, _, ok := s.a.Next(s.now, make([]byte, 0, wire.MaxDatagram)); ok {
		t.Error("it says so twice")
	}
}

// More small calls than packets may be under way: nothing is stuck for ever, even if
// both ends are full when the link heals.
func TestFullWindows(t *testing.T) {
	s := newSim(t, faults{loss: 1, delay: time.Millisecond})
	const calls = 8300
	for id := range uint64(calls) {
		s.a.call(id+1, 1100)
		s.b.call(id+1, 1100)
		s.a.flush()
		s.b.flush()
	}
	if !s.a.sent.Full() || !s.b.sent.Full() {
		t.Fatal("not full")
	}
	s.run(3*time.Second, s.answered)
	s.faults = faults{delay: time.Millisecond}
	s.run(5*time.Second, func() bool { return len(s.a.waiting) < calls-2000 && len(s.b.waiting) < calls-2000 })
	if max(len(s.a.waiting), len(s.b.waiting)) > calls-2000 {
		t.Fatalf("%d and %d calls are not answered; %d and %d packets under way", len(s.a.waiting), len(s.b.waiting), s.a.sent.Unacked(), s.b.sent.Unacked())
	}
	for id, k := range s.b.runs {
		if k != 1 {
			t.Errorf("call %d: %d times", id, k)
		}
	}
}

// Larger datagrams begin to vanish, and later do not any more.
func TestSizes(t *testing.T) {
	s := newSim(t, faults{delay: time.Millisecond})
	id := uint64(0)
	echo := func(size int) {
		t.Helper()
		id++
		s.a.call(id, size)
		if !s.run(3*time.Second, s.answered) {
			t.Fatalf("%d bytes are lost at %v", size, s.now.Sub(epoch))
		}
	}
	echo(100_000)
	if d := s.a.Stats().Datagram; d != wire.MaxDatagram {
		t.Errorf("datagrams of %d bytes", d)
	}
	s.faults.mtu = 1000
	echo(1100)
	echo(100_000)
	if d := s.a.Stats().Datagram; d > 996 {
		t.Errorf("datagrams of %d bytes", d)
	}
	s.faults.mtu = 600
	echo(900)
	echo(100_000)
	if d := s.a.Stats().Datagram; d != 548 {
		t.Errorf("datagrams of %d bytes", d)
	}
	s.faults.mtu = 0
	s.now = s.now.Add(11 * time.Minute)
	s.a.Expire(s.now, nil)
	s.b.Expire(s.now, nil)
	echo(100_000)
	if d := s.a.Stats().Datagram; d != wire.MaxDatagram {
		t.Errorf("datagrams of %d bytes", d)
	}
}

// An end moves: the other follows when the new address has answered.
func TestMove(t *testing.T) {
	s := newSim(t, faults{delay: 5 * time.Millisecond})
	s.a.call(1, 100)
	s.run(time.Second, s.answered)
	s.a.addr = addrA2
	s.a.call(2, 100)
	if !s.run(time.Second, s.answered) || s.b.Addr() != addrA2 {
		t.Errorf("%d unanswered, B takes A to be at %v", len(s.a.waiting), s.b.Addr())
	}
	// Somebody who passes on what A sent, from elsewhere, gets a challenge, no more.
	s.a.call(3, 100)
	buf := make([]byte, 0, wire.MaxDatagram)
	p, _, _ := s.a.Next(s.now, buf)
	s.b.in = append(s.b.in, simPacket{s.now, evil, p})
	s.b.take()
	sent := 0
	for {
		q, to, ok := s.b.Next(s.now, make([]byte, 0, wire.MaxDatagram))
		if !ok {
			break
		}
		if to == evil {
			sent += len(q)
		}
	}
	if s.b.Addr() != addrA2 || sent == 0 || sent > 3*len(p) {
		t.Errorf("B takes A to be at %v, %d bytes went to the other", s.b.Addr(), sent)
	}
}

// A peer that acknowledges nothing is owed no more than so much.
func TestOwedReplies(t *testing.T) {
	s := newSim(t, faults{})
	buf := make([]byte, 0, wire.MaxDatagram)
	for id := range uint64(5000) {
		s.a.call(id+1, 1000)
		p, _, ok := s.a.Next(s.now, buf)
		if !ok {
			break
		}
		h, _ := wire.ParseHeader(p)
		in, err := s.b.Receive(s.now, p, h, addrA, nil)
		if id < maxOwedReplies != (err == nil) {
			t.Fatalf("call %d: %v", id, err)
		}
		for i := range in {
			s.b.handle(&in[i])
		}
		for _, _, ok := s.b.Next(s.now, buf); ok; _, _, ok = s.b.Next(s.now, buf) {
		}
	}
	if k := s.b.Stats().OwedReplies; k != maxOwedReplies {
		t.Errorf("%d replies are owed", k)
	}
}

// What a peer leaves half-way costs at most the budget, however it is cut.
func TestAssemblyBudget(t *testing.T) {
	for name, f := range map[string]func(i int) wire.More{
		"ahead": func(i int) wire.More {
			return wire.More{ID: uint64(i + 1), Total: 2 << 20, Offset: 1<<20 - 1, Data: []byte{1}}
		},
		"one in two": func(i int) wire.More {
			return wire.More{ID: uint64(i%4 + 1), Total: 2 << 20, Offset: uint64(i / 4 * 2), Data: []byte{1}}
		},
		"backwards": func(i int) wire.More {
			return wire.More{ID: 1, Total: 2 << 20, Offset: uint64(1<<20 - 2*i), Data: []byte{1}}
		},
		"many":         func(i int) wire.More { return wire.More{ID: uint64(i + 1), Total: 1 << 20, Data: make([]byte, 1000)} },
		"other totals": func(i int) wire.More { return wire.More{ID: 1, Total: uint64(1<<20 + i), Data: []byte{1}} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, faults{})
			s.b.cfg.Budget, s.b.parts.budget = 4<<20, 4<<20
			for i := range 50_000 {
				m := f(i)
				in, err := s.b.more(s.now, m.Append(nil)[3:], nil)
				for j := range in {
					if in[j].Kind != Busy {
						t.Fatalf("%+v", in[j])
					}
				}
				if s.b.parts.held > s.b.parts.budget || len(s.b.parts.open) > maxAssemblies {
					t.Fatalf("%d bytes of %d messages are held", s.b.parts.held, len(s.b.parts.open))
				}
				if err != nil {
					if !errors.Is(err, ErrViolation) {
						t.Fatal(err)
					}
					return // the session ends
				}
			}
			s.b.Expire(s.now.Add(time.Hour), nil)
			if s.b.parts.held != 0 || len(s.b.parts.open) > 0 {
				t.Errorf("%d bytes are held", s.b.parts.held)
			}
		})
	}
}

// FuzzReceive gives a session whatever its peer may seal.
func FuzzReceive(f *testing.F) {
	ka, kb := keys(f)
	c := wire.Call{ID: 1, Codec: 2, Name: []byte("f"), Total: 3, Data: []byte("abc")}
	m := wire.More{ID: 2, Total: 1 << 20, Offset: 1 << 19, Data: []byte("abc")}
	r := wire.Reply{ID: 1, Total: 3, Data: []byte("abc")}
	half := wire.Reply{ID: 1, Total: 3000, Data: []byte("abc")}
	for _, plain := range [][]byte{
		{}, {0}, {1, 0}, c.Append(nil), m.Append(nil), r.Append(nil), half.Append(m.Append(c.Append(nil))),
		wire.AppendAck(nil, []wire.Range{{First: 0, Last: 3}}, time.Second),
		wire.AppendID(wire.AppendID(nil, wire.FrameWorking, 1), wire.FrameCancel, 1),
		wire.AppendPath(wire.AppendPath(nil, wire.FramePathChallenge, [8]byte{1}), wire.FramePathResponse, [8]byte{1}),
		(&wire.Close{Code: 2, Text: "x"}).Append(nil),
	} {
		f.Add(plain, plain, uint64(1))
	}
	f.Fuzz(func(t *testing.T, one, two []byte, number uint64) {
		sim := &sim{t: t, now: epoch}
		e := sim.end(cipherOf(t, kb), addrB, addrA)
		e.cfg.MaxMessage, e.parts.budget = 1<<20, 1<<20
		peer := cipherOf(t, ka)
		e.call(1, 10)
		e.call(2, 5000)
		buf := make([]byte, 0, wire.MaxDatagram)
		for i, plain := range [][]byte{one, two, one} {
			for range 10 {
				if p, _, ok := e.Next(sim.now, buf); !ok || len(p) > wire.MaxDatagram+64 {
					break
				}
			}
			n := number&(1<<62) + uint64(i)
			h := wire.Header{Session: 1, Number: n}
			p := peer.Seal(append(h.Append(nil), plain...), n)
			if p == nil {
				continue
			}
			if h, err := wire.ParseHeader(p); err == nil {
				in, err := e.Receive(sim.now, p, h, evil, nil)
				if err != nil && !errors.Is(err, ErrViolation) && !errors.Is(err, ErrDropped) {
					t.Fatal(err)
				}
				for j := range in {
					if in[j].Kind == 0 || in[j].Kind > Closed {
						t.Fatalf("%+v", in[j])
					}
					e.handleFuzzed(&in[j])
				}
			}
			sim.now = sim.now.Add(time.Second)
			e.Tick(sim.now)
			e.Expire(sim.now, nil)
			if e.parts.held > e.parts.budget || e.parts.held < 0 || e.owedReplies < 0 || e.owedBytes < 0 {
				t.Fatalf("%d bytes held, %d replies of %d bytes owed", e.parts.held, e.owedReplies, e.owedBytes)
			}
		}
		e.Close(1, "")
		for m, k := range e.freed {
			if k != 1 {
				t.Fatalf("%d was given back %d times", m.ID, k)
			}
		}
	})
}

// handleFuzzed is handle without a check of what came back.
func (e *simEnd) handleFuzzed(in *Incoming) {
	if in.Kind == Reply {
		delete(e.waiting, in.ID)
		return
	}
	e.handle(in)
}

// A part of a large answer that comes twice in the packet which completes it begins
// nothing anew, let alone a violation.
func TestRepeatedPartOfAnAnswer(t *testing.T) {
	s := newSim(t, faults{})
	const total = 2 << 20
	s.a.waiting[1] = nil
	first := wire.Reply{ID: 1, Total: total}
	in, err := s.a.reply(s.now, first.Append(nil)[3:], nil)
	const part = 1024
	for off := 0; off < total && err == nil && len(in) == 0; off += part {
		m := wire.More{Direction: wire.Result, ID: 1, Total: total, Offset: uint64(off), Data: make([]byte, part)}
		in, err = s.a.more(s.now, m.Append(nil)[3:], in)
	}
	if err != nil || len(in) != 1 || in[0].Kind != Reply || len(in[0].Data) != total {
		t.Fatalf("%d, %v", len(in), err)
	}
	for _, off := range []uint64{0, total - part} {
		m := wire.More{Direction: wire.Result, ID: 1, Total: total, Offset: off, Data: make([]byte, part)}
		if in, err = s.a.more(s.now, m.Append(nil)[3:], in); err != nil || len(in) != 1 {
			t.Errorf("at %d: %d, %v", off, len(in), err)
		}
	}
	if s.a.parts.held != 0 || len(s.a.parts.open) > 0 {
		t.Errorf("%d bytes are held", s.a.parts.held)
	}
}

// What nobody waits for any more takes no room.
func TestPartsOfDroppedCalls(t *testing.T) {
	s := newSim(t, faults{})
	arguments := wire.More{ID: 1, Total: 1 << 20, Data: make([]byte, 1000)}
	result := wire.More{Direction: wire.Result, ID: 1, Total: 1 << 20, Data: make([]byte, 1000)}
	m := s.a.call(1, 10)
	for _, f := range []wire.More{arguments, result} {
		if in, err := s.a.more(s.now, f.Append(nil)[3:], nil); err != nil || len(in) > 0 {
			t.Fatal(in, err)
		}
	}
	if s.a.parts.held < 2000 {
		t.Fatalf("%d bytes are held", s.a.parts.held)
	}
	s.a.Drop(m)
	delete(s.a.waiting, 1)
	if _, _, err := s.a.frames(s.now, wire.AppendID(nil, wire.FrameCancel, 1), addrB, nil); err != nil {
		t.Fatal(err)
	}
	if s.a.parts.held != 0 || len(s.a.parts.open) > 0 || s.a.calls.look(1) != repeat {
		t.Errorf("%d bytes are held", s.a.parts.held)
	}
	// One frame that says all ends what several began.
	if _, err := s.b.more(s.now, arguments.Append(nil)[3:], nil); err != nil {
		t.Fatal(err)
	}
	c := wire.Call{ID: 1, Name: []byte("f")}
	if in, err := s.b.Session.call(s.now, c.Append(nil)[3:], nil); err != nil || len(in) != 1 || s.b.parts.held != 0 {
		t.Errorf("%d, %v, %d bytes are held", len(in), err, s.b.parts.held)
	}
}
