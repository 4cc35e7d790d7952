package disco

import (
	"fmt"
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
		return func(t *Table) []Change { return t.Lost(backend, name, why) }
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
	if n := len(table.Peers()); n != 3 {
		t.Errorf("%d peers", n)
	}
	if p, _ := table.Add("one more", ap("10.0.0.1:5"), 0); p.Key != 0 {
		t.Error("added beyond the bound")
	}
	if got := say(table.Found(0, seen("n1", 77, "10.0.0.2:5"))); got != "replaced n1 10.0.0.2:5 was 10.0.0.1:5" {
		t.Errorf("a full table does not follow a restart: %q", got)
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
