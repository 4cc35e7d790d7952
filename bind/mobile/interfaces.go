package peerlink

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	core "github.com/peerlink/peerlink/core"
)

// Limits on what the application's list is taken for.
const (
	maxInterfacesJSON = 256 << 10
	maxInterfaces     = 128
	maxAddrs          = 32 // per interface
)

// An interfaceList asks the application for the interfaces.
type interfaceList struct {
	driver  Interfaces
	log     *slog.Logger
	dropped atomic.Int64 // in the last list, so that each change is logged once
}

func (l *interfaceList) get() ([]core.Interface, error) {
	var text string
	err := protect("interfaces", func() (err error) {
		text, err = l.driver.InterfacesJSON()
		return err
	})
	if err != nil {
		return nil, &core.Error{Code: core.CodeIO, Op: "interfaces", Err: err}
	}
	list, dropped, err := parseInterfaces(text)
	if err != nil {
		return nil, &core.Error{Code: core.CodeInvalid, Op: "interfaces", Err: err}
	}
	if before := l.dropped.Swap(int64(dropped)); dropped > 0 && int64(dropped) != before {
		l.log.Warn("interfaces: entries that cannot be read", "count", dropped)
	}
	return slices.DeleteFunc(list, func(i core.Interface) bool { return !i.Usable() }), nil
}

type interfaceJSON struct {
	Index        int32    `json:"index"`
	Name         string   `json:"name"`
	Up           bool     `json:"up"`
	Multicast    bool     `json:"multicast"`
	Loopback     bool     `json:"loopback"`
	PointToPoint bool     `json:"pointToPoint"`
	Addrs        []string `json:"addrs"`
}

// parseInterfaces reads what Interfaces documents. It leaves out what it cannot
// read, and counts it: an interface without index or name, an address.
func parseInterfaces(text string) (list []core.Interface, dropped int, err error) {
	if len(text) > maxInterfacesJSON {
		return nil, 0, errors.New("list too large")
	}
	var entries []json.RawMessage
	if err := json.Unmarshal([]byte(text), &entries); err != nil {
		return nil, 0, err
	}
	if over := len(entries) - maxInterfaces; over > 0 {
		dropped += over
		entries = entries[:maxInterfaces]
	}
	for _, raw := range entries {
		var e interfaceJSON
		if json.Unmarshal(raw, &e) != nil || e.Index <= 0 || e.Name == "" {
			dropped++
			continue
		}
		addrs, bad := parsePrefixes(e.Addrs)
		dropped += bad
		list = append(list, core.Interface{Index: int(e.Index), Name: e.Name, Flags: e.flags(), Addrs: addrs})
	}
	return list, dropped, nil
}

func (e interfaceJSON) flags() (f net.Flags) {
	if e.Up {
		f |= net.FlagUp | net.FlagRunning
	}
	if e.Multicast {
		f |= net.FlagMulticast
	}
	if e.Loopback {
		f |= net.FlagLoopback
	}
	if e.PointToPoint {
		f |= net.FlagPointToPoint
	}
	return f
}

// parsePrefixes reads addresses such as "192.168.1.5/24" and "fe80::1%wlan0/64",
// whose zone says nothing new.
func parsePrefixes(texts []string) (list []netip.Prefix, dropped int) {
	for i, text := range texts {
		if i == maxAddrs {
			return list, dropped + len(texts) - maxAddrs
		}
		addr, bits, _ := strings.Cut(text, "/")
		addr, _, _ = strings.Cut(addr, "%")
		p, err := netip.ParsePrefix(addr + "/" + bits)
		if err != nil {
			dropped++
			continue
		}
		list = append(list, p)
	}
	return list, dropped
}
