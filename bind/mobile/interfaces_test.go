package peerlink

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	core "github.com/peerlink/peerlink/core"
)

func TestParseInterfaces(t *testing.T) {
	wlan := core.Interface{
		Index: 3, Name: "wlan0", Flags: net.FlagUp | net.FlagRunning | net.FlagMulticast,
		Addrs: []netip.Prefix{netip.MustParsePrefix("192.168.1.5/24"), netip.MustParsePrefix("fe80::1/64")},
	}
	const good = `{"index":3,"name":"wlan0","up":true,"multicast":true,"loopback":false,"addrs":["192.168.1.5/24","fe80::1%wlan0/64"]}`
	tests := []struct {
		name, text string
		want       []core.Interface
		dropped    int
		fails      bool
	}{
		{name: "empty", text: `[]`},
		{name: "one", text: `[` + good + `]`, want: []core.Interface{wlan}},
		{name: "unknown members", text: `[` + strings.Replace(good, `{`, `{"mtu":1500,`, 1) + `]`, want: []core.Interface{wlan}},
		{name: "bad neighbours", text: `[7,` + good + `,{"name":"x"},{"index":-1,"name":"x"},{"index":"4","name":"x"},null]`,
			want: []core.Interface{wlan}, dropped: 5},
		{name: "bad addresses", text: strings.Replace(`[`+good+`]`, `"192`, `"1.2.3.4","::1/129","","192`, 1),
			want: []core.Interface{wlan}, dropped: 3},
		{name: "loopback", text: `[{"index":1,"name":"lo","up":true,"loopback":true}]`,
			want: []core.Interface{{Index: 1, Name: "lo", Flags: net.FlagUp | net.FlagRunning | net.FlagLoopback}}},
		{name: "vpn", text: `[{"index":9,"name":"tun0","pointToPoint":true}]`,
			want: []core.Interface{{Index: 9, Name: "tun0", Flags: net.FlagPointToPoint}}},
		{name: "not JSON", text: `wlan0`, fails: true},
		{name: "not an array", text: `{}`, fails: true},
		{name: "nothing", text: ``, fails: true},
		{name: "too large", text: `[` + strings.Repeat(" ", maxInterfacesJSON) + `]`, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, dropped, err := parseInterfaces(tt.text)
			if (err != nil) != tt.fails || dropped != tt.dropped || !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("parseInterfaces = %v, %d, %v; want %v, %d, fails %t", got, dropped, err, tt.want, tt.dropped, tt.fails)
			}
		})
	}
}

func TestParseInterfacesCaps(t *testing.T) {
	addrs := `"10.0.0.1/8"` + strings.Repeat(`,"10.0.0.1/8"`, maxAddrs)
	entry := `{"index":1,"name":"a","addrs":[` + addrs + `]}`
	got, dropped, err := parseInterfaces(`[` + entry + strings.Repeat(`,`+entry, maxInterfaces) + `]`)
	if err != nil || len(got) != maxInterfaces || dropped != maxInterfaces+1 || len(got[0].Addrs) != maxAddrs {
		t.Fatalf("%d interfaces, %d dropped, %v", len(got), dropped, err)
	}
}

type fixedInterfaces struct {
	text string
	err  error
}

func (f fixedInterfaces) InterfacesJSON() (string, error) { return f.text, f.err }

func TestInterfaceList(t *testing.T) {
	list := interfaceList{log: slog.New(slog.DiscardHandler)}
	list.driver = fixedInterfaces{text: `[{"index":1,"name":"lo","up":true,"loopback":true,"addrs":["127.0.0.1/8"]},
		{"index":2,"name":"down","multicast":true,"addrs":["10.0.0.1/8"]}]`}
	if got, err := list.get(); err != nil || len(got) != 1 || got[0].Name != "lo" {
		t.Errorf("get = %v, %v; want lo alone", got, err)
	}
	list.driver = fixedInterfaces{err: errors.New("denied")}
	if _, err := list.get(); core.CodeOf(err) != core.CodeIO || !strings.Contains(err.Error(), "denied") {
		t.Errorf("get = %v, want what the driver said, as CodeIO", err)
	}
	list.driver = fixedInterfaces{text: "?"}
	if _, err := list.get(); core.CodeOf(err) != core.CodeInvalid {
		t.Errorf("get = %v, want CodeInvalid", err)
	}
	list.driver = nil
	if _, err := list.get(); err == nil {
		t.Error("get with a driver that panics returned no error")
	}
}
