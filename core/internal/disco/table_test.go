package disco

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

var self = ID{0xff}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// seen is a sighting of a successor node.
func seen(name string, id byte, addrs ...string) Sighting {
	s := Sighting{Instance: name, TXT: Info{Name: name, ID: ID{id}, TCPPort: 7, Version: "2"}.TXT(1, 0)}
	for _, a := range addrs {
		s.Addrs = append(s.Addrs, ap(a))
	}
	return s
}

func nobody(Peer) bool { return false }

func everybody(Peer) bool { return true }

// say writes changes as one line each.
func say(changes []Change) string {
	var lines []string
	for _, c := range changes {
		kind := [...]string{Up: "up", Down: "down", Moved: "moved", Replaced: "replaced"}[c.Kind]
		line := fmt.Sprintf("%s %s %v", kind, c.Peer.Name, c.Peer.Addr)
		if c.Kind == Down {
			line += " " + string(c.Reason)
		}
		if c.Kind == Replaced {
			line += fmt.Sprintf(" was %v", c.Old.Addr)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func TestTableTellsChanges(t *testing.T) {
	type step struct {
		what string
		do   func(*Table) []Change
		want string
	}
	found := func(backend int, s Sighting) func(*Table) []Change {
		return func(t *Table) []Change { return t.Found(backend, s) }
	}
	lost := func(backend int, name string, why Reason) func(*Table) []Change {
		return func(t *Table) []Change { return t.Lost(backend, name, why, nobody) }
	}
	add := func(name, addr string) func(*Table) []Change {
		return func(t *Table) []Change { _, c := t.Add(name, ap(addr), 0); return c }
	}
	silent := func(t *Table) []Change { return t.Silent(1) }
	heard := func(addr string) func(*Table) []Change {
		return func(t *Table) []Change { return t.Heard(1, ap(addr)) }
	}
	for name, steps := range map[string][]step{
		"comes and says goodbye": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"found again", found(0, seen("A", 1, "10.0.0.1:5")), ""},
			{"goodbye", lost(0, "A", Removed), "down A 10.0.0.1:5 removed"},
			{"goodbye again", lost(0, "A", Removed), ""},
		},
		"expires": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"expired", lost(0, "A", Expired), "down A 10.0.0.1:5 expired"},
			{"back", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
		},
		"a restart is a replacement": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"restarted", found(0, seen("A", 2, "10.0.0.1:6")), "replaced A 10.0.0.1:6 was 10.0.0.1:5"},
		},
		"a new address of the same node is a move": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"moved", found(0, seen("A", 1, "10.0.0.9:5")), "moved A 10.0.0.9:5"},
		},
		"a further address is no move": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"more", found(0, seen("A", 1, "10.0.0.9:5", "10.0.0.1:5")), ""},
		},
		"two backends, one node": {
			{"first", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"second", found(1, seen("A", 1, "10.0.0.1:5")), ""},
			{"first loses it", lost(0, "A", Expired), ""},
			{"second too", lost(1, "A", Removed), "down A 10.0.0.1:5 removed"},
		},
		"two nodes of one name": {
			{"first", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"second", found(1, Sighting{Instance: "B", Addrs: []netip.AddrPort{ap("10.0.0.2:5")},
				TXT: Info{Name: "A", ID: ID{2}}.TXT(1, 0)}), "up A 10.0.0.2:5"},
			{"one leaves", lost(0, "A", Removed), "down A 10.0.0.1:5 removed"},
		},
		"silent and back": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"silent", silent, "down A 10.0.0.1:5 expired"},
			{"still", silent, ""},
			{"discovery gives up", lost(0, "A", Expired), ""},
		},
		"discovery loses who answers": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"expired there", func(t *Table) []Change { return t.Lost(0, "A", Expired, everybody) }, ""},
			{"silent", silent, "down A 10.0.0.1:5 expired"},
			{"found again", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"a goodbye is a goodbye", func(t *Table) []Change { return t.Lost(0, "A", Removed, everybody) }, "down A 10.0.0.1:5 removed"},
		},
		"a new name": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"renamed", found(0, seen("A (2)", 1, "10.0.0.1:5")), "down A 10.0.0.1:5 removed; up A (2) 10.0.0.1:5"},
			{"the old instance ends", lost(0, "A", Removed), ""},
		},
		"two backends, a restart": {
			{"first", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"second", found(1, seen("A", 1, "10.0.0.1:5")), ""},
			{"restart, first", found(0, seen("A", 2, "10.0.0.1:6")), "replaced A 10.0.0.1:6 was 10.0.0.1:5"},
			{"restart, second", found(1, seen("A", 2, "10.0.0.1:6")), ""},
			{"gone, first", lost(0, "A", Removed), ""},
			{"gone, second", lost(1, "A", Removed), "down A 10.0.0.1:6 removed"},
		},
		"heard again": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5", "10.0.0.2:5")), "up A 10.0.0.1:5"},
			{"silent", silent, "down A 10.0.0.1:5 expired"},
			{"answers elsewhere", heard("10.0.0.2:5"), "up A 10.0.0.2:5"},
			{"and back", heard("10.0.0.1:5"), "moved A 10.0.0.1:5"},
			{"from an address nobody announced", heard("10.0.0.3:5"), ""},
			{"silent again", silent, "down A 10.0.0.1:5 expired"},
			{"from there, too", heard("10.0.0.3:5"), "up A 10.0.0.1:5"},
		},
		"given by the application": {
			{"added", add("A", "10.0.0.1:5"), "up A 10.0.0.1:5"},
			{"silent", silent, "down A 10.0.0.1:5 expired"},
			{"back", heard("10.0.0.1:5"), "up A 10.0.0.1:5"},
			{"other address", add("A", "10.0.0.2:5"), "moved A 10.0.0.2:5"},
		},
		"given, discovered, restarted": {
			{"added", add("A", "10.0.0.1:5"), "up A 10.0.0.1:5"},
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), ""},
			{"restarted", found(0, seen("A", 2, "10.0.0.1:5")), "replaced A 10.0.0.1:5 was 10.0.0.1:5"},
			{"gone", lost(0, "A", Removed), "down A 10.0.0.1:5 removed"},
			{"still given", add("A", "10.0.0.1:5"), "up A 10.0.0.1:5"},
		},
		"discovered, and given another address": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"added", add("A", "10.0.0.2:5"), ""},
			{"answers there", heard("10.0.0.2:5"), "moved A 10.0.0.2:5"},
			{"given yet another", add("A", "10.0.0.3:5"), "moved A 10.0.0.3:5"},
		},
		"given and then discovered": {
			{"added", add("A", "10.0.0.1:5"), "up A 10.0.0.1:5"},
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), ""},
			{"goodbye", lost(0, "A", Removed), "down A 10.0.0.1:5 removed"},
		},
		"discovered and then given": {
			{"found", found(0, seen("A", 1, "10.0.0.1:5")), "up A 10.0.0.1:5"},
			{"added", add("A", "10.0.0.1:5"), ""},
		},
		"never itself": {
			{"own announcement", found(0, Sighting{Instance: "Me", Addrs: []netip.AddrPort{ap("10.0.0.1:5")},
				TXT: Info{Name: "Me", ID: self}.TXT(1, 0)}), ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			table := NewTable(self, 10)
			for _, s := range steps {
				if got := say(s.do(table)); got != s.want {
					t.Errorf("%s: %q, want %q", s.what, got, s.want)
				}
			}
		})
	}
}

func TestTableIsBounded(t *testing.T) {
	table := NewTable(self, 3)
	for i := range 100 {
		table.Found(0, seen(fmt.Sprintf("n%d", i), byte(i+1), "10.0.0.1:5"))
	}
	if n := len(table.Peers()); n != 3 || len(table.waiting) != 3 {
		t.Errorf("%d peers, %d waiting", n, len(table.waiting))
	}
	if p, _ := table.Add("one more", ap("10.0.0.1:5"), 0); p.Key != 0 {
		t.Error("added beyond the bound")
	}
	if got := say(table.Found(0, seen("n1", 77, "10.0.0.2:5"))); got != "replaced n1 10.0.0.2:5 was 10.0.0.1:5" {
		t.Errorf("a full table does not follow a restart: %q", got)
	}
	if got := say(table.Lost(0, "n2", Removed, nobody)); !strings.HasPrefix(got, "down n2 10.0.0.1:5 removed; up n") {
		t.Errorf("there is room now, and one waits: %q", got)
	}
	table.Silent(1)
	if got := say(table.Found(0, seen("new", 99, "10.0.0.9:5"))); got != "up new 10.0.0.9:5" {
		t.Errorf("one that is down keeps a newcomer out: %q", got)
	}
}

// Whoever mirrors the table needs to look at what Drain returns, and nothing else.
func TestDrainTellsAllThatChanged(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	table := NewTable(self, 8)
	mirror := map[uint32]Peer{}
	for range 20_000 {
		name := string(rune('a' + r.IntN(6)))
		addr := fmt.Sprintf("10.0.0.%d:5", 1+r.IntN(4))
		key := uint32(r.IntN(int(table.last) + 2))
		switch r.IntN(6) {
		case 0, 1:
			table.Found(r.IntN(2), seen(name, byte(1+r.IntN(12)), addr))
		case 2:
			table.Lost(r.IntN(2), name, Removed, nobody)
		case 3:
			table.Lost(r.IntN(2), name, Expired, everybody)
		case 4:
			table.Silent(key)
			table.Heard(uint32(r.IntN(int(table.last)+2)), ap(addr))
		case 5:
			if r.IntN(10) == 0 {
				table.Add(name, ap(addr), 0)
			}
		}
		changed, gone := table.Drain()
		for _, p := range changed {
			mirror[p.Key] = p
		}
		for _, key := range gone {
			delete(mirror, key)
		}
		now := table.Peers()
		if len(now) != len(mirror) || len(now) > 8 {
			t.Fatalf("%d in the table, %d in the mirror", len(now), len(mirror))
		}
		for _, p := range now {
			if fmt.Sprint(p) != fmt.Sprint(mirror[p.Key]) {
				t.Fatalf("%+v in the table, %+v in the mirror", p, mirror[p.Key])
			}
			if len(p.Addrs) == 0 || (p.Up && !p.Addr.IsValid()) {
				t.Fatalf("no address: %+v", p)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	table := NewTable(self, 10)
	table.Found(0, seen("Phone1", 1, "10.0.0.1:5"))
	table.Found(0, seen("Phone10", 2, "10.0.0.2:5"))
	table.Found(0, seen("ÄPFEL", 3, "10.0.0.3:5"))
	for name, want := range map[string]int{"Phone1": 1, "phone1": 1, "phone10": 1, "Phone": 0, "": 0, "äpfel": 1} {
		if got := len(table.Lookup(name)); got != want {
			t.Errorf("%q: %d found, want %d", name, got, want)
		}
	}
	table.Silent(1)
	if got := len(table.Lookup("Phone1")); got != 0 {
		t.Errorf("a peer that is down was found")
	}
	table.Add("given", ap("10.0.0.4:5"), 0)
	table.Silent(4)
	if got := len(table.Lookup("given")); got != 1 {
		t.Errorf("what the application gave: %d found", got)
	}
	table.Found(0, seen("given", 9, "10.0.0.5:5"))
	if got := table.Lookup("given"); len(got) != 1 || got[0].Addr != ap("10.0.0.5:5") {
		t.Errorf("one that is up beside one that is not: %v", got)
	}
}

func TestInfoOf(t *testing.T) {
	addrs := []netip.AddrPort{ap("10.0.0.1:5000")}
	long := strings.Repeat("x", MaxName+1)
	for _, tt := range []struct {
		name string
		s    Sighting
		want Info
		ok   bool
	}{
		{"without TXT", Sighting{Instance: "A", Addrs: addrs},
			Info{Name: "A", ID: derivedID("A"), TCPPort: 5000, Legacy: true}, true},
		{"1.1.1", Sighting{Instance: "A", Addrs: addrs, TXT: []string{"node=B", "port=1", "tcp_port=6000", "version=1.1.1",
			"instance_id=fb10ab07-7199-4aec-9395-5ab0dc18178c"}},
			Info{Name: "B", ID: parseID("fb10ab0771994aec93955ab0dc18178c"), TCPPort: 6000, Version: "1.1.1", Legacy: true}, true},
		{"renamed, with the TXT of before", Sighting{Instance: "A (2)", Addrs: addrs, TXT: []string{"node=A"}},
			Info{Name: "A (2)", ID: derivedID("A (2)"), TCPPort: 5000, Legacy: true}, true},
		{"not renamed", Sighting{Instance: "A (two)", Addrs: addrs, TXT: []string{"node=A"}},
			Info{Name: "A", ID: derivedID("A (two)"), TCPPort: 5000, Legacy: true}, true},
		{"bad values", Sighting{Instance: "A", Addrs: addrs, TXT: []string{"tcp_port=99999", "instance_id=zz", "=", "", "x", "node"}},
			Info{Name: "", ID: derivedID("zz"), TCPPort: 5000, Legacy: true}, false},
		{"no address", Sighting{Instance: "A"}, Info{Name: "A", ID: derivedID("A"), Legacy: true}, false},
		{"control characters", Sighting{Instance: "A\x1b[2J", Addrs: addrs},
			Info{Name: "A\x1b[2J", ID: derivedID("A\x1b[2J"), TCPPort: 5000, Legacy: true}, false},
		{"too long", Sighting{Instance: long, Addrs: addrs}, Info{Name: long, ID: derivedID(long), TCPPort: 5000, Legacy: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := infoOf(tt.s); got != tt.want || ok != tt.ok {
				t.Errorf("%+v, %v; want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}
