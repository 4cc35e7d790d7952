package peerlink

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/peerlink/peerlink/core/internal/legacy"
)

// maxDatagram is the largest UDP payload there is (RFC 768). 1.x nodes may send
// channel data of any size, so we read whatever fits.
const maxDatagram = 65535

// reply is how a call ended.
type reply struct {
	result   Payload
	borrowed bool         // result.Bytes belongs to the call and will be used again
	code     Code         // 0: there is a result
	remote   *RemoteError // what the handler said
	cause    error
	at       time.Time
	from     netip.AddrPort // in the 1.x dialect: where the answer came from
	native   bool           // in the 1.x dialect: whoever answered speaks more than that
}

// pause waits, so that an error that stays does not become a busy loop. It reports
// false when the node is closing.
func (n *Node) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-n.done:
		return false
	}
}

// receiveJSON takes one datagram of the 1.x dialect; b is only valid during the call.
func (n *Node) receiveJSON(now time.Time, b []byte, src netip.AddrPort) {
	if !n.compat {
		n.complain("bad datagram", src, errNotCompat)
		return
	}
	m, err := legacy.Parse(b)
	if err != nil {
		n.complain("bad datagram", src, err)
		return
	}
	p := n.peers.at(src)
	if p != nil && p.dialect.Load() == dialectNative {
		p = nil // anybody can forge this: it is no sign of life
	}
	if p != nil {
		p.noteHeard(now, src)
	}
	switch m.Kind {
	case legacy.Request:
		n.receiveRequest(m, src, p)
	case legacy.Reply:
		// A late or repeated answer is nobody's; that is how it should be.
		n.pending.Answer(bytes.Trim(m.ID, `"`), jsonReply(m, now, src))
	}
}

var errNotCompat = errors.New("not encrypted, and this node does not speak with 1.x nodes")

func jsonReply(m legacy.Message, now time.Time, src netip.AddrPort) reply {
	r := reply{result: Payload{Codec: JSON, Bytes: bytes.Clone(m.Result)}, at: now, from: src, native: m.Native}
	if m.Error != nil {
		r.code, r.remote = CodeRemote, &RemoteError{Type: m.Error.Type, Message: m.Error.Message}
		if m.Error.Type == overloaded {
			r.code = CodeOverloaded
		}
	}
	return r
}

// complain logs what strangers can cause, at most one line a second.
func (n *Node) complain(what string, src netip.AddrPort, err error) {
	if more, ok := n.badInput.Allow(time.Now()); ok {
		n.log.Warn(what, "from", src, "err", err, "more", more)
	}
}

func (n *Node) receiveRequest(m legacy.Message, src netip.AddrPort, p *Peer) {
	h, ok := n.handlers.get([]byte(m.Func))
	switch {
	case m.Native && m.Func == pingFunc: // it asks what we speak
		n.sendTo(src, legacy.MarkNative(legacy.AppendResponse(nil, m.ID, pong(time.Now()))))
	case !ok && m.Func == pingFunc:
		n.sendTo(src, legacy.AppendResponse(nil, m.ID, pong(time.Now())))
	case !ok:
		n.refuse(m.ID, src, noFunction(m.Func))
	case m.BadArgs != "":
		n.refuse(m.ID, src, &RemoteError{Type: "TypeError", Message: m.BadArgs})
	case !n.gate.Enter(gateKey{addr: src}):
		n.refuse(m.ID, src, &RemoteError{Type: overloaded, Message: n.name + " is busy with other calls, or closing"})
	default:
		n.dispatch(h, m, src, p)
	}
}

// pingFunc is answered by every node.
const pingFunc = legacy.PingFunc

// noFunction says it in the words of 1.x.
func noFunction(name string) *RemoteError {
	return &RemoteError{Type: "RemoteError", Message: fmt.Sprintf("No function '%s' registered", name)}
}

func tooLarge(what string, size uint64, limit int) error {
	return fmt.Errorf("%s of %d bytes: the limit is %d", what, size, limit)
}

// rootCause is the error without what this package put around it.
func rootCause(err error) error {
	for {
		e, ok := err.(*Error)
		if !ok || e.Err == nil {
			return err
		}
		err = e.Err
	}
}

// pong is the result of a ping, as 1.x sends it.
func pong(now time.Time) []byte {
	return fmt.Appendf(nil, `{"ok": true, "time": %.6f}`, float64(now.UnixMicro())/1e6)
}

// sendTo answers. There is nobody to tell of an error, and who does not get the
// answer will time out.
func (n *Node) sendTo(to netip.AddrPort, b []byte) {
	if b == nil {
		return // not even an error fits: the request's id is longer than a datagram
	}
	if err := n.send(b, to); err != nil && !errors.Is(err, net.ErrClosed) {
		n.complain("cannot answer", to, err)
	}
}

func (n *Node) send(b []byte, to netip.AddrPort) error {
	_, err := n.conn.WriteToUDPAddrPort(b, to)
	return err
}
