//go:build linux

package faults

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	peerlink "github.com/peerlink/peerlink/core"
	"github.com/peerlink/peerlink/test/lab"
)

// call17 is part of what the 18th call of echo says.
const call17 = "17.17.17.17.17.17."

// What is on the cable between two nodes shows their names, and nothing of what they
// say or of the secret.
func TestNothingIsReadable(t *testing.T) {
	secret := peerlink.NewSecret()
	l := lab.StartSwitched(t, 2, lab.Faults{})
	trace := l.Trace()
	server := startNode(t, l.Hosts[0], join{Name: "server", Discovery: true, Secret: secret})
	client := startNode(t, l.Hosts[1], join{Name: "client", Discovery: true, Secret: secret})
	client.find(server)
	check(t, server, client, plan{Peer: server.name, Func: "echo", Calls: 50, Size: 300, Timeout: 5 * time.Second}, wants{ok: 1})
	trace.Stop()
	if frame, err := trace.Find("client"); err != nil || frame == nil {
		t.Errorf("the announcement is not in the trace (%v): it would not show other things either", err)
	}
	for _, planted := range []string{"echo", call17, secret, secret[5:], "peerlink 1"} {
		if frame, err := trace.Find(planted); err != nil || frame != nil {
			t.Errorf("%q is on the cable, %v: %.80q", planted, err, frame)
		}
	}
}

// A stranger that sends whatever it likes gets no more bytes than it sent.
func TestStrangersGetNoMoreThanTheySend(t *testing.T) {
	for _, secret := range []string{"", peerlink.NewSecret()} {
		name := map[bool]string{true: "open realm", false: "secret"}[secret == ""]
		t.Run(name, func(t *testing.T) {
			l := lab.StartSwitched(t, 3, lab.Faults{})
			server := startNode(t, l.Hosts[0], join{Name: "server", Secret: secret})
			client := startNode(t, l.Hosts[1], join{Name: "client", Secret: secret})
			client.introduce(server)
			trace := l.Trace()
			stranger := l.Hosts[2]
			err := stranger.Do(func() error {
				return harass(netip.AddrPortFrom(server.host.Addr, server.port), secret == "")
			})
			if err != nil {
				t.Fatal(err)
			}
			check(t, server, client, plan{Peer: server.name, Func: "add", Calls: 50, Timeout: 5 * time.Second}, wants{ok: 1})
			trace.Stop()
			in, err := trace.UDP(stranger.Addr, server.host.Addr)
			if err != nil {
				t.Fatal(err)
			}
			out, err := trace.UDP(server.host.Addr, stranger.Addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes sent, %d bytes back", in.Bytes, out.Bytes)
			if in.Datagrams < 1000 || out.Bytes > in.Bytes {
				t.Errorf("%d bytes back for %d", out.Bytes, in.Bytes)
			}
			if secret != "" && out.Bytes > in.Bytes/100 { // that other versions are not spoken, and no more
				t.Errorf("%d bytes back although it does not know the realm", out.Bytes)
			}
		})
	}
}

// harass sends packets of every type, and JSON unless the 1.x dialect answers that.
func harass(to netip.AddrPort, native bool) error {
	conn, err := net.Dial("udp4", to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	random := make([]byte, 1200)
	for i := range 1500 {
		_, _ = rand.Read(random) // never fails
		b := bytes.Clone(random[:1+i%1200])
		switch i % 4 {
		case 0: // an INIT in form
			b = append(make([]byte, 0, 384), 0x04, 1, 3, 0)
			b = binary.BigEndian.AppendUint32(b, uint32(i)+1)
			b = append(append(b, make([]byte, 24)...), random[:48]...)
			b = append(b, make([]byte, 384-len(b))...)
		case 1:
			b[0] = 0x04 + byte(i/4%12)
		case 2:
			if !native {
				b = []byte(`{"type": "request", "id": "x", "rpc": "echo", "args": ["` + string(bytes.Repeat([]byte{'x'}, i%900)) + `"]}`)
			}
		}
		if b[0] == '{' && native {
			b[0] = '}'
		}
		if _, err := conn.Write(b); err != nil {
			return err
		}
		if i%50 == 0 {
			time.Sleep(time.Millisecond) // not faster than the cable
		}
	}
	return nil
}
