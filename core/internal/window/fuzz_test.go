package window

import (
	"testing"
	"time"
)

// FuzzAck does at random what an owner and a peer may do to a Sent, and compares
// with a model: every frame comes back once, and what is in flight adds up.
func FuzzAck(f *testing.F) {
	f.Fuzz(func(t *testing.T, script []byte) {
		m := account{t: t, size: map[uint64]int{}, now: start}
		for len(script) > 0 {
			script = m.step(script)
			m.check()
		}
		m.sent.Clear(m.back)
		if len(m.size) > 0 {
			t.Fatalf("%d frames never came back", len(m.size))
		}
	})
}

type account struct {
	t    *testing.T
	sent Sent[uint64]
	size map[uint64]int // of packets in flight
	now  time.Time
}

// step takes one operation and its arguments from the script.
func (m *account) step(script []byte) (rest []byte) {
	arg := func() (b uint64) {
		if len(script) > 0 {
			b, script = uint64(script[0]), script[1:]
		}
		return b
	}
	switch op := arg(); op % 6 {
	case 0, 1:
		n, size := m.sent.Next(), int(arg())
		m.size[n] = size
		m.sent.Add(m.now, size, true, arg(), []uint64{n})
	case 2:
		m.sent.Add(m.now, int(arg()), false, NoAck, nil)
	case 3:
		var ranges []Range
		last := m.sent.Next() + 3 - arg()
		for range op / 6 {
			first := last - arg()
			ranges = append(ranges, Range{first, last})
			last = first - arg()
		}
		m.ack(ranges)
	case 4:
		m.now = m.now.Add(time.Duration(arg()) * ms / 4)
	case 5:
		m.timeout()
	}
	return script
}

func (m *account) ack(ranges []Range) {
	before := len(m.size)
	newly := 0
	acked := func(n uint64) {
		if !within(ranges, n) {
			m.t.Fatalf("%d is not in %v", n, ranges)
		}
		newly++
		m.back(n)
	}
	got, err := m.sent.Ack(m.now, ranges, -time.Second, acked, m.back)
	if got != newly {
		m.t.Fatalf("%d newly, but %d frames", got, newly)
	}
	if err != nil && len(m.size) != before {
		m.t.Fatal("a bad ACK had an effect")
	}
	for n := range m.size {
		if err == nil && within(ranges, n) {
			m.t.Fatalf("%d is in %v and still in flight", n, ranges)
		}
	}
}

func within(ranges []Range, n uint64) bool {
	for _, r := range ranges {
		if r.First <= n && n <= r.Last {
			return true
		}
	}
	return false
}

func (m *account) timeout() {
	deadline, ok := m.sent.Deadline()
	if ok && deadline.After(m.now) {
		m.now = deadline
	}
	before := len(m.size)
	probes := m.sent.Timeout(m.now, m.back)
	if ok && probes == 0 && len(m.size) == before {
		m.t.Fatal("the deadline passed and nothing happened")
	}
	m.sent.Probe(probes, func(n uint64) {
		if _, there := m.size[n]; !there {
			m.t.Fatalf("probe of %d, which is not in flight", n)
		}
	})
}

func (m *account) back(n uint64) {
	if _, there := m.size[n]; !there {
		m.t.Fatalf("%d came back twice", n)
	}
	delete(m.size, n)
}

func (m *account) check() {
	bytes := 0
	for _, size := range m.size {
		bytes += size
	}
	if m.sent.Unacked() != len(m.size) || m.sent.InFlight() != bytes {
		m.t.Fatalf("%d packets, %d bytes; want %d, %d", m.sent.Unacked(), m.sent.InFlight(), len(m.size), bytes)
	}
	if _, ok := m.sent.Deadline(); ok != (len(m.size) > 0) {
		m.t.Fatalf("deadline %t with %d packets in flight", ok, len(m.size))
	}
	if w := m.sent.Congestion.Window(); w < minWindow || w > maxWindow {
		m.t.Fatalf("window %d", w)
	}
}
