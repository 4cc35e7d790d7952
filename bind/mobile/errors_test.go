package peerlink

import (
	"errors"
	"testing"

	core "github.com/peerlink/peerlink/core"
)

func TestExportAppendsTheCode(t *testing.T) {
	fail := func(in error) (err error) {
		defer export("op", &err)
		return in
	}
	timeout := &core.Error{Code: core.CodeTimeout, Op: "call add", Peer: "Phone1"}
	tests := []struct {
		in   error
		want string
		code int32
	}{
		{timeout, timeout.Error() + " (code 5)", CodeTimeout},
		{errors.New("odd"), "odd (code 1)", CodeInternal},
		{&core.Error{Code: core.CodeRemote, Op: "call add", Err: &core.RemoteError{Type: "E", Message: "looks like (code 3)"}},
			"E: looks like (code 3) (code 6)", CodeRemote},
	}
	for _, tt := range tests {
		got := fail(tt.in).Error()
		if got != tt.want || ErrorCode(got) != tt.code {
			t.Errorf("exported %q with code %d, want %q", got, ErrorCode(got), tt.want)
		}
	}
	if err := fail(nil); err != nil {
		t.Errorf("nil became %v", err)
	}
}

func TestExportTurnsAPanicIntoAnError(t *testing.T) {
	err := func() (err error) {
		defer export("op", &err)
		panic("oops")
	}()
	if err == nil || ErrorCode(err.Error()) != CodeInternal {
		t.Fatalf("err = %v, want CodeInternal", err)
	}
}

func TestErrorCodeOfOtherTexts(t *testing.T) {
	for _, s := range []string{"", "x", " (code )", " (code x)", " (code -1)", " (code 99999999999)", "(code 3)", " (code 3) "} {
		if got := ErrorCode(s); got != 0 {
			t.Errorf("ErrorCode(%q) = %d, want 0", s, got)
		}
	}
}

func TestNullObjectsAreHarmless(t *testing.T) {
	var (
		e *Event
		p *Peer
		l *PeerList
		c *Config
	)
	if e.Kind() != 0 || e.PeerName() != "" || e.Data() != nil || p.Name() != "" || p.RTTMicros() != 0 || l.Len() != 0 || l.At(0) != nil {
		t.Error("a null object is not empty")
	}
	c.SetDiscovery(nil)
	c.SetInterfaces(nil)
	c.SetMulticastLock(nil)
	c.SetLogger(nil)
	c.SetSecret("x")
	c.SetStateDir("x")
	c.SetAllowLegacy(true)
	for _, n := range []*Node{nil, {}, NewNode(nil, nil)} {
		if err := n.Start(); err == nil || ErrorCode(err.Error()) != CodeInvalid {
			t.Errorf("Start = %v, want CodeInvalid", err)
		}
		if err := n.Stop(0); err != nil {
			t.Errorf("Stop = %v", err)
		}
		if _, err := n.CallSync("x", "f", nil, 0); err == nil || ErrorCode(err.Error()) != CodeClosed {
			t.Errorf("CallSync = %v, want CodeClosed", err)
		}
		if err := n.Reply(1, nil); err == nil || ErrorCode(err.Error()) != CodeInvalid {
			t.Errorf("Reply = %v, want CodeInvalid", err)
		}
		if err := n.AddPeer("x", "127.0.0.1", 1); err == nil || ErrorCode(err.Error()) != CodeClosed {
			t.Errorf("AddPeer = %v, want CodeClosed", err)
		}
		if n.Peers().Len() != 0 || n.Port() != 0 || n.Fingerprint() != "" || n.Waits(1) || n.Call("x", "f", nil, 0, nil) != 0 {
			t.Error("a node that does not run has peers, a port or calls")
		}
		n.NetworkChanged()
		n.Cancel(1)
		n.Unregister("f")
	}
}
