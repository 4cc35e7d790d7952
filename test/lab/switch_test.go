//go:build linux

package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// udpPort is that of the sockets in these tests.
const udpPort = 9000

// openUDP opens a socket on a host, with room for all that a test sends.
func openUDP(t testing.TB, h *Host, network string) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	err := h.Do(func() (err error) {
		conn, err = net.ListenUDP(network, &net.UDPAddr{Port: udpPort})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	makeRoom(t, conn)
	return conn
}

func makeRoom(t testing.TB, conn syscall.Conn) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20) })
	if err != nil {
		t.Fatal(err)
	}
}

func at(h *Host) netip.AddrPort { return netip.AddrPortFrom(h.Addr, udpPort) }

// linkLocal is the IPv6 address of a host. The zone is the number of eth0, which is
// the same on all hosts.
func linkLocal(t *testing.T, h *Host) netip.AddrPort {
	t.Helper()
	var addr netip.Addr
	err := h.Do(func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		list, err := eth0.Addrs()
		for _, a := range list {
			if p := netip.MustParsePrefix(a.String()); p.Addr().Is6() {
				addr = p.Addr().WithZone("eth0")
			}
		}
		return err
	})
	if err != nil || !addr.IsValid() {
		t.Fatalf("%v %v", addr, err)
	}
	return netip.AddrPortFrom(addr, udpPort)
}

// blast sends numbered datagrams of the given sizes.
func blast(t testing.TB, conn *net.UDPConn, to netip.AddrPort, sizes ...int) {
	t.Helper()
	for i, size := range sizes {
		b := make([]byte, size)
		binary.BigEndian.PutUint32(b, uint32(i))
		if _, err := conn.WriteToUDPAddrPort(b, to); err != nil {
			t.Fatal(err)
		}
	}
}

func number(b []byte) int { return int(binary.BigEndian.Uint32(b)) }

// same is n sizes.
func same(n, size int) []int { return slices.Repeat([]int{size}, n) }

// way is from a socket of one host to that of another.
type way struct {
	s       *Switched
	a, b    *Host
	out, in *net.UDPConn
	dest    netip.AddrPort
}

func newWay(t testing.TB, s *Switched, a, b *Host) way {
	t.Helper()
	w := way{s, a, b, openUDP(t, a, "udp4"), openUDP(t, b, "udp4"), at(b)}
	w.send(t, 4) // so that ARP is done
	return w
}

func (w way) back() way { return way{w.s, w.b, w.a, w.in, w.out, at(w.a)} }

func (w way) set(f Faults) { w.s.SetLinkFaults(w.a, w.b, f) }

// send sends datagrams of the sizes and returns those that arrive, and what the link
// counted meanwhile, which may include a few packets of the kernel.
func (w way) send(t testing.TB, sizes ...int) (got [][]byte, c Counters) {
	t.Helper()
	var entered atomic.Int32
	stop := w.s.Capture(func(frame []byte) {
		if _, ok := UDP(frame); ok {
			entered.Add(1)
		}
	})
	defer stop()
	before := w.s.LinkCounters(w.a, w.b)
	blast(t, w.out, w.dest, sizes...)
	waitFor(t, func() bool {
		c = minus(w.s.LinkCounters(w.a, w.b), before)
		return int(entered.Load()) >= len(sizes) && int(c.Frames) >= len(sizes) && underWay(c) == 0
	})
	got = drain(t, w.in)
	return got, minus(w.s.LinkCounters(w.a, w.b), before)
}

// drain returns what a socket has got.
func drain(t testing.TB, conn *net.UDPConn) (all [][]byte) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, _, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Clone(buf[:n]))
	}
}

func underWay(c Counters) uint64 {
	return c.Frames + c.Duplicated - c.Delivered - c.Lost - c.Blocked - c.TooLong - c.Filtered - c.Full - c.Refused
}

// around reports whether n is what a coin of the likelihood gives in so many tosses,
// within five standard deviations.
func around(n, tosses int, likelihood float64) bool {
	off := float64(n) - float64(tosses)*likelihood
	return off*off <= 25*float64(tosses)*likelihood*(1-likelihood)
}

func TestFaultsReachThePrograms(t *testing.T) {
	s := StartSwitched(t, 2, Faults{})
	silence(t, s.Hosts[0])
	w := newWay(t, s, s.Hosts[0], s.Hosts[1])
	const n = 2000
	mixed := append(same(n/2, 100), same(n/2, 1400)...)
	for _, c := range []struct {
		name   string
		faults Faults
		check  func(t *testing.T, got [][]byte, c Counters)
	}{
		{"none", Faults{}, func(t *testing.T, got [][]byte, c Counters) {
			if !slices.Equal(numbers(got), upTo(n)) {
				t.Errorf("%d of %d arrived, or in another order", len(got), n)
			}
		}},
		{"loss", Faults{Loss: 0.3}, func(t *testing.T, got [][]byte, c Counters) {
			if !around(int(c.Lost), n, 0.3) || len(got)+int(c.Lost) != n {
				t.Errorf("%d arrived, %d lost", len(got), c.Lost)
			}
		}},
		{"duplicates", Faults{Duplicate: 0.5}, func(t *testing.T, got [][]byte, c Counters) {
			if !around(int(c.Duplicated), n, 0.5) || len(got) != n+int(c.Duplicated) || !slices.Equal(distinct(got), upTo(n)) {
				t.Errorf("%d arrived, %d of them again, %d different", len(got), c.Duplicated, len(distinct(got)))
			}
		}},
		{"reorder", Faults{Reorder: 0.1}, func(t *testing.T, got [][]byte, c Counters) {
			if !around(int(c.Reordered), n, 0.1) || slices.IsSorted(numbers(got)) || !slices.Equal(distinct(got), upTo(n)) {
				t.Errorf("%d arrived, %d late", len(got), c.Reordered)
			}
		}},
		{"delay keeps order", Faults{Delay: 20 * time.Millisecond}, func(t *testing.T, got [][]byte, c Counters) {
			if !slices.Equal(numbers(got), upTo(n)) {
				t.Errorf("%d of %d arrived, or in another order", len(got), n)
			}
		}},
		{"jitter", Faults{Jitter: 20 * time.Millisecond}, func(t *testing.T, got [][]byte, c Counters) {
			if slices.IsSorted(numbers(got)) || !slices.Equal(distinct(got), upTo(n)) {
				t.Errorf("%d of %d arrived", len(got), n)
			}
		}},
		{"MTU hole", Faults{MTU: 576}, func(t *testing.T, got [][]byte, c Counters) {
			if !slices.Equal(numbers(got), upTo(n/2)) || c.TooLong != n/2 {
				t.Errorf("%d arrived, %d too long", len(got), c.TooLong)
			}
		}},
		{"corruption", Faults{Corrupt: 1}, func(t *testing.T, got [][]byte, c Counters) {
			if len(got) != n || c.Corrupted != n {
				t.Errorf("%d of %d arrived, %d damaged", len(got), n, c.Corrupted)
			}
			for i, b := range got {
				if wrongBits(b, i) != 1 {
					t.Fatalf("datagram %d has %d wrong bits", i, wrongBits(b, i))
				}
			}
		}},
		{"rate", Faults{Rate: 8e6}, func(t *testing.T, got [][]byte, c Counters) {
			if c.Full == 0 || len(got)+int(c.Full) != n || len(got) < n/2 {
				t.Errorf("%d arrived, %d did not fit", len(got), c.Full)
			}
		}},
		{"blocked", Faults{Blocked: true}, func(t *testing.T, got [][]byte, c Counters) {
			if len(got) != 0 || c.Blocked != n {
				t.Errorf("%d arrived, %d blocked", len(got), c.Blocked)
			}
		}},
		{"all", Faults{Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Corrupt: 0.1, Delay: time.Millisecond, Jitter: time.Millisecond,
			MTU: 1428, Rate: 1e9}, func(t *testing.T, got [][]byte, c Counters) {
			if len(got) != n+int(c.Duplicated)-int(c.Lost)-int(c.Full) {
				t.Errorf("%d arrived; %+v", len(got), c)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.set(c.faults)
			got, count := w.send(t, mixed...)
			c.check(t, got, count)
		})
	}
}

// silence ends IPv6 on a host, and with it the packets that the kernel sends unasked.
func silence(t *testing.T, h *Host) {
	t.Helper()
	err := h.Command(t.Context(), "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6").Run()
	if err != nil {
		t.Fatal(err)
	}
}

// numbers is what the datagrams are numbered, as they came.
func numbers(all [][]byte) (list []int) {
	for _, b := range all {
		list = append(list, number(b))
	}
	return list
}

func distinct(all [][]byte) []int {
	list := numbers(all)
	slices.Sort(list)
	return slices.Compact(list)
}

func upTo(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

// wrongBits counts what differs from what blast sent as number i.
func wrongBits(b []byte, i int) (wrong int) {
	want := make([]byte, len(b))
	binary.BigEndian.PutUint32(want, uint32(i))
	for k := range b {
		wrong += bits.OnesCount8(b[k] ^ want[k])
	}
	return wrong
}

func minus(c, d Counters) Counters {
	return Counters{
		Frames: c.Frames - d.Frames, Delivered: c.Delivered - d.Delivered, Lost: c.Lost - d.Lost,
		Blocked: c.Blocked - d.Blocked, TooLong: c.TooLong - d.TooLong, Filtered: c.Filtered - d.Filtered,
		Full: c.Full - d.Full, Refused: c.Refused - d.Refused, Duplicated: c.Duplicated - d.Duplicated,
		Corrupted: c.Corrupted - d.Corrupted, Reordered: c.Reordered - d.Reordered,
	}
}

func TestCorruptionPassesTheChecksumOfIPv6(t *testing.T) {
	s := StartSwitched(t, 2, Faults{Corrupt: 1})
	a, b := s.Hosts[0], s.Hosts[1]
	w := way{s, a, b, openUDP(t, a, "udp6"), openUDP(t, b, "udp6"), linkLocal(t, b)}
	w.send(t, 4) // so that neighbor discovery is done
	const n = 300
	got, _ := w.send(t, append(same(n/2, 4), same(n/2, 5)...)...)
	if len(got) != n {
		t.Errorf("%d of %d arrived", len(got), n)
	}
	for i, b := range got {
		if wrongBits(b, i) != 1 {
			t.Fatalf("datagram %d has %d wrong bits", i, wrongBits(b, i))
		}
	}
}

func TestDelayIsSeen(t *testing.T) {
	s := StartSwitched(t, 2, Faults{})
	w := newWay(t, s, s.Hosts[0], s.Hosts[1])
	if err := w.in.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go echo(w.in) // ends with the socket
	if err := w.out.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, delay := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
		w.set(Faults{Delay: delay})
		least := time.Hour
		for range 50 {
			begin := time.Now()
			blast(t, w.out, w.dest, 4)
			if _, _, err := w.out.ReadFromUDPAddrPort(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(begin))
		}
		t.Logf("%v there, none back: at least %v", delay, least)
		if least < delay {
			t.Errorf("a packet that takes %v was back after %v", delay, least)
		}
	}
}

func echo(conn *net.UDPConn) {
	buf := make([]byte, 100)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		_, _ = conn.WriteToUDPAddrPort(buf[:n], from)
	}
}

func TestBlockedIsOneDirection(t *testing.T) {
	s := StartSwitched(t, 3, Faults{})
	ab := newWay(t, s, s.Hosts[0], s.Hosts[1])
	ac := way{s, s.Hosts[0], s.Hosts[2], ab.out, openUDP(t, s.Hosts[2], "udp4"), at(s.Hosts[2])}
	check := func(when string, want int) {
		t.Helper()
		there, _ := ab.send(t, same(10, 100)...)
		back, _ := ab.back().send(t, same(10, 100)...)
		other, _ := ac.send(t, same(10, 100)...)
		if len(there) != want || len(back) != 10 || len(other) != 10 {
			t.Errorf("%s: %d there, %d back, %d to another", when, len(there), len(back), len(other))
		}
	}
	check("before", 10)
	ab.set(Faults{Blocked: true})
	check("blocked", 0)
	s.SetFaults(Faults{})
	check("after", 10)
}

func TestMulticastReachesAllOrNobody(t *testing.T) {
	s := StartSwitched(t, 3, Faults{})
	out := openUDP(t, s.Hosts[0], "udp4")
	dest := netip.AddrPortFrom(netip.AddrFrom4([4]byte(group.IP.To4())), uint16(group.Port))
	members := []*net.UDPConn{joinGroup(t, s.Hosts[1]), joinGroup(t, s.Hosts[2])}
	for _, c := range []struct {
		faults Faults
		want   int
	}{{Faults{}, 10}, {Faults{NoMulticast: true}, 0}} {
		s.SetFaults(c.faults)
		got, _ := way{s, s.Hosts[0], s.Hosts[1], out, members[0], dest}.send(t, same(10, 100)...)
		others := drain(t, members[1])
		if len(got) != c.want || len(others) != c.want {
			t.Errorf("%+v: %d and %d arrived, want %d", c.faults, len(got), len(others), c.want)
		}
	}
}

func joinGroup(t *testing.T, h *Host) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	err := h.Do(func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		conn, err = net.ListenMulticastUDP("udp4", eth0, &group)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestUnicastIsNotFlooded(t *testing.T) {
	s := StartSwitched(t, 3, Faults{})
	w := newWay(t, s, s.Hosts[0], s.Hosts[1])
	before := s.LinkCounters(w.a, s.Hosts[2])
	w.send(t, same(100, 100)...)
	if seen := minus(s.LinkCounters(w.a, s.Hosts[2]), before).Frames; seen > 50 {
		t.Errorf("the third host saw %d frames of 100", seen)
	}
}

func TestMACTableIsBounded(t *testing.T) {
	var table macTable
	for i := range 10 * maxMACs {
		mac := [6]byte{2}
		binary.BigEndian.PutUint32(mac[2:], uint32(i))
		table.learn(mac, i)
		if port, known := table.port(mac); !known || port != i {
			t.Fatalf("%x is at %d, %v", mac, port, known)
		}
		if len(table.ports) > maxMACs {
			t.Fatalf("%d entries", len(table.ports))
		}
	}
	if table.learn([6]byte{1}, 1); table.ports[[6]byte{1}] != 0 {
		t.Error("a group address was learned as a source")
	}
}

func TestTraceSeesWhatIsSent(t *testing.T) {
	s := StartSwitched(t, 2, Faults{})
	w := newWay(t, s, s.Hosts[0], s.Hosts[1])
	w.set(Faults{Loss: 1})
	trace := s.Trace()
	w.send(t, 100, 200)
	if frame, err := trace.Find("\x00\x00\x00\x01\x00"); err != nil || frame == nil {
		t.Errorf("not found: %v", err)
	}
	if frame, err := trace.Find("never sent"); err != nil || frame != nil {
		t.Errorf("found in %q, %v", frame, err)
	}
	if got, err := trace.UDP(w.a.Addr, w.b.Addr); err != nil || got != (Traffic{2, 300}) {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := trace.UDP(w.b.Addr, w.a.Addr); err != nil || got != (Traffic{}) {
		t.Errorf("back: %+v %v", got, err)
	}
	trace.Stop()
	w.send(t, 100)
	if got, err := trace.UDP(w.a.Addr, w.b.Addr); err != nil || got.Datagrams != 2 {
		t.Errorf("after Stop: %+v %v", got, err)
	}
}

func TestTraceSaysWhenItIsFull(t *testing.T) {
	trace := &Trace{sent: make(map[[2]netip.Addr]Traffic)}
	for range maxTrace/60000 + 1 {
		trace.record(make([]byte, 60000))
	}
	if _, err := trace.Find("x"); !errors.Is(err, ErrTraceFull) {
		t.Errorf("Find: %v", err)
	}
	if _, err := trace.UDP(netip.Addr{}, netip.Addr{}); !errors.Is(err, ErrTraceFull) {
		t.Errorf("UDP: %v", err)
	}
}

func TestSwitchSurvivesAHostThatIsDown(t *testing.T) {
	s := StartSwitched(t, 2, Faults{})
	w := newWay(t, s, s.Hosts[0], s.Hosts[1])
	if err := w.b.SetLink(false); err != nil {
		t.Fatal(err)
	}
	if got, c := w.send(t, same(5, 4)...); len(got) != 0 || c.Refused < 5 {
		t.Errorf("%d arrived, %+v", len(got), c)
	}
	if err := w.b.SetLink(true); err != nil {
		t.Fatal(err)
	}
	if got, _ := w.send(t, same(5, 4)...); len(got) != 5 {
		t.Errorf("%d of 5 arrived", len(got))
	}
}

func TestQueueOfAPortIsBounded(t *testing.T) {
	line, err := newDelayLine()
	if err != nil {
		t.Fatal(err)
	}
	defer line.close()
	later := time.Now().Add(time.Hour)
	full, other := &link{to: &port{}}, &link{to: &port{}}
	for i := range maxQueue {
		if !line.post(full, nil, later) {
			t.Fatalf("full after %d", i)
		}
	}
	if line.post(full, nil, later) {
		t.Error("one too many")
	}
	if !line.post(other, nil, later) {
		t.Error("another port is full too")
	}
	if got := line.take(later); len(got) != maxQueue+1 {
		t.Errorf("took %d", len(got))
	}
	if !line.post(full, nil, later) {
		t.Error("still full")
	}
}

func TestCloseOfASwitchLeavesNothing(t *testing.T) {
	Require(t)
	require(t, tapAvailable())
	before := openFiles(t)
	s, err := NewSwitched(2, Faults{Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	from := openUDP(t, s.Hosts[0], "udp4")
	blast(t, from, netip.AddrPortFrom(netip.MustParseAddr("10.91.255.255"), 9), same(10, 4)...)
	if err := from.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d open files, before %d", after, before)
	}
	if left := spacesOf(t, os.Getpid()); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestDoComesBack(t *testing.T) {
	s := StartSwitched(t, 1, Faults{})
	home, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("of fn")
	for range 100 {
		err := s.Hosts[0].Do(func() error {
			if there, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || there == home {
				t.Errorf("on the host: %q %v", there, err)
			}
			return failure
		})
		if err != failure {
			t.Fatal(err)
		}
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		if at, err := os.Readlink("/proc/self/task/" + thread.Name() + "/ns/net"); err == nil && at != home {
			t.Errorf("thread %s stayed in %s", thread.Name(), at)
		}
	}
}

// One op is a datagram of 1000 bytes to another host.
func BenchmarkSwitch(b *testing.B) {
	for _, c := range []struct {
		name   string
		faults Faults
	}{{"clean", Faults{}}, {"delayed", Faults{Delay: time.Millisecond}}} {
		b.Run(c.name, func(b *testing.B) {
			s := StartSwitched(b, 2, c.faults)
			w := newWay(b, s, s.Hosts[0], s.Hosts[1])
			w.dest = netip.AddrPortFrom(w.b.Addr, 9)
			const window = 1000 // less than the queues take
			payload := make([]byte, 1000)
			for i := 0; b.Loop(); i++ {
				if _, err := w.out.WriteToUDPAddrPort(payload, w.dest); err != nil {
					b.Fatal(err)
				}
				if i%window == 0 {
					waitFor(b, func() bool { return s.LinkCounters(w.a, w.b).Delivered+window >= uint64(i) })
				}
			}
			if c := s.LinkCounters(w.a, w.b); c.Full > 0 {
				b.Errorf("%+v", c)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}
