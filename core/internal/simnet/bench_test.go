package simnet

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerlink/peerlink/core/internal/netio"
)

var benchFaults = map[string]Faults{
	"direct": {},
	"delay":  {Delay: time.Millisecond},
	"all": {
		Loss: 0.1, Duplicate: 0.05, Reorder: 0.05, Corrupt: 0.05, Delay: time.Millisecond,
		Jitter: time.Millisecond, Rate: 100 << 20, MTU: 1232,
	},
}

// BenchmarkStream is one datagram through a link and its receive queue, 64 of them
// at a time, in real time.
func BenchmarkStream(b *testing.B) {
	n := New(1)
	defer n.Close()
	x, y := listen(b, n.Host(addrA)), listen(b, n.Host(addrB))
	msg, buf := make([]byte, 1200), make([]byte, 1500)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.WriteToUDPAddrPort(msg, at(addrB))
		if i%64 == 63 {
			for range 64 {
				y.ReadFromUDPAddrPort(buf)
			}
		}
	}
}

// TestManyCalls is a request and its answer many times over, in virtual time; it
// shows what that takes.
func TestManyCalls(t *testing.T) {
	for name, f := range benchFaults {
		t.Run(name, func(t *testing.T) {
			const calls = 50000
			start := time.Now()
			var virtual time.Duration
			var s Stats
			bubble(t, func(t *testing.T, n *Network) {
				begin := time.Now()
				n.SetFaults(f)
				x, y := listen(t, n.Host(addrA)), listen(t, n.Host(addrB))
				go echo(y)
				caller := collect(t, x)
				msg := make([]byte, 100)
				for i := range calls {
					send(t, x, addrB, msg...)
					if f.Delay == 0 {
						synctest.Wait()
					} else if i%8 == 0 {
						time.Sleep(f.Delay)
					}
				}
				virtual = time.Since(begin)
				caller.all()
				s = n.Stats()
				balance(t, s)
			})
			t.Logf("%d calls, %d datagrams, %v of virtual time in %v", calls, s.Sent, virtual, time.Since(start))
			if s.Sent < calls*3/2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func echo(c netio.Conn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if _, err := c.WriteToUDPAddrPort(buf[:n], from); err != nil {
			return
		}
	}
}
