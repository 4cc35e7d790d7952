//go:build linux

package faults

import (
	"testing"
	"time"

	"github.com/peerlink/peerlink/test/lab"
)

// wants is what must become of every plan of a case. Whatever happens, no handler may
// run more often than it was called, and no answer may be wrong.
type wants struct {
	ok float64 // least part of the calls that succeeds
}

// usual is what most cases call. The sum of the timeouts of a caller bounds a test.
var usual = []plan{
	{Func: "add", Calls: 200, Timeout: 5 * time.Second},
	{Func: "count", Calls: 200, Callers: 8, Timeout: 5 * time.Second},
	{Func: "echo", Calls: 100, Size: 800, Timeout: 5 * time.Second},
	{Func: "blob", Calls: 100, Size: 800, Callers: 4, Timeout: 5 * time.Second},
}

var cases = []struct {
	name   string
	faults lab.Faults // from when the nodes have found each other
	plans  []plan
	wants  wants
}{
	{name: "clean", plans: usual, wants: wants{ok: 1}},
	{name: "loss 5 %", faults: lab.Faults{Loss: .05, Delay: time.Millisecond}, plans: usual, wants: wants{ok: 1}},
	{name: "loss 30 %", faults: lab.Faults{Loss: .3}, plans: few, wants: wants{ok: .99}},
	{name: "duplicates", faults: lab.Faults{Duplicate: .5}, plans: usual, wants: wants{ok: 1}},
	{name: "reorder", faults: lab.Faults{Reorder: .3}, plans: usual, wants: wants{ok: 1}},
	{name: "damaged", faults: lab.Faults{Corrupt: .2}, plans: usual, wants: wants{ok: 1}},
	{name: "jitter", faults: lab.Faults{Delay: 5 * time.Millisecond, Jitter: 10 * time.Millisecond}, plans: few, wants: wants{ok: 1}},
	{name: "packets above 900 bytes vanish", faults: lab.Faults{MTU: 900}, plans: large, wants: wants{ok: 1}},
	{name: "large, loss 5 %", faults: lab.Faults{Loss: .05}, plans: large, wants: wants{ok: 1}},
	{name: "all at once", faults: lab.Faults{Loss: .1, Duplicate: .2, Reorder: .25, Corrupt: .1, Jitter: time.Millisecond}, plans: few, wants: wants{ok: .99}},
}

// few are for networks on which a call takes long.
var few = []plan{
	{Func: "count", Calls: 200, Callers: 16, Timeout: 5 * time.Second},
	{Func: "echo", Calls: 100, Callers: 16, Size: 800, Timeout: 5 * time.Second},
}

// large do not fit into one packet.
var large = []plan{
	{Func: "echo", Calls: 20, Size: 1100, Timeout: 10 * time.Second},
	{Func: "echo", Calls: 5, Size: 100_000, Timeout: 20 * time.Second},
	{Func: "blob", Calls: 3, Size: 1 << 20, Timeout: 30 * time.Second},
}

func TestCalls(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := lab.StartSwitched(t, 2, lab.Faults{})
			server := startNode(t, l.Hosts[0], join{Name: "server", Discovery: true})
			client := startNode(t, l.Hosts[1], join{Name: "client", Discovery: true})
			if at, legacy := client.find(server); at.Addr() != server.host.Addr {
				t.Errorf("found at %v, legacy %v", at, legacy)
			}
			l.SetFaults(c.faults)
			for _, p := range c.plans {
				p.Peer = server.name
				check(t, server, client, p, c.wants)
			}
			t.Logf("%+v", l.Counters())
		})
	}
}

// check has the client follow a plan, and judges it.
func check(t *testing.T, server, client *child, p plan, w wants) {
	t.Helper()
	before := server.runs()[p.Func]
	r := client.call(p)
	ran := server.runs()[p.Func] - before
	t.Logf("%s: %d of %d ok, %d runs, p50 %v, p99 %v, max %v, errors %v", p.Func, r.OK, p.Calls, ran, r.P50, r.P99, r.Max, r.Errors)
	if float64(r.OK) < w.ok*float64(p.Calls) {
		t.Errorf("%s: %d of %d calls succeeded, want %g of them: %v", p.Func, r.OK, p.Calls, w.ok, r.Errors)
	}
	if ran > p.Calls || ran < r.OK {
		t.Errorf("%s: ran %d times for %d calls, of which %d succeeded", p.Func, ran, p.Calls, r.OK)
	}
	if r.Wrong > 0 {
		t.Errorf("%s: %d answers are wrong", p.Func, r.Wrong)
	}
}

// Without discovery, for networks where multicast is filtered.
func TestCallsByAddress(t *testing.T) {
	l := lab.StartSwitched(t, 2, lab.Faults{NoMulticast: true})
	server := startNode(t, l.Hosts[0], join{Name: "server"})
	client := startNode(t, l.Hosts[1], join{Name: "client"})
	client.introduce(server)
	check(t, server, client, plan{Peer: server.name, Func: "add", Calls: 20, Timeout: 5 * time.Second}, wants{ok: 1})
}

// The lab must be able to make calls fail, or the cases show nothing.
func TestFaultsReachTheNodes(t *testing.T) {
	l := lab.StartSwitched(t, 2, lab.Faults{})
	server := startNode(t, l.Hosts[0], join{Name: "server"})
	client := startNode(t, l.Hosts[1], join{Name: "client"})
	client.introduce(server)
	l.SetLinkFaults(l.Hosts[1], l.Hosts[0], lab.Faults{Blocked: true})
	r := client.call(plan{Peer: server.name, Func: "count", Calls: 3, Timeout: 100 * time.Millisecond})
	if r.OK != 0 || r.Errors["timed out"] != 3 || server.runs()["count"] != 0 {
		t.Errorf("%+v, ran %d times", r, server.runs()["count"])
	}
}
