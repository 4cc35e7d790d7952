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

// reply is the answer to a call.
type reply struct {
	result []byte // JSON
	err    *legacy.RemoteError
	at     time.Time
	from   netip.AddrPort
	closed bool // there is no answer: the node was closed
}

// read takes datagrams off the socket until it is closed.
func (n *Node) read() {
	buf := make([]byte, maxDatagram)
	for {
		k, src, err := n.conn.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			n.receive(buf[:k], netip.AddrPortFrom(src.Addr().Unmap(), src.Port()))
		case errors.Is(err, net.ErrClosed):
			return
		default: // an ICMP error of an earlier send, on systems that report it here
			n.complain("socket", src, err)
			if !n.pause(time.Millisecond) {
				return
			}
		}
	}
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

// receive takes one datagram; b is only valid during the call.
func (n *Node) receive(b []byte, src netip.AddrPort) {
	m, err := legacy.Parse(b)
	if err != nil {
		n.complain("bad datagram", src, err)
		return
	}
	now := time.Now()
	p := n.peers.at(src)
	if p != nil {
		p.noteHeard(now, src)
	}
	switch m.Kind {
	case legacy.Request:
		n.receiveRequest(m, src, p)
	case legacy.Reply:
		// A late or repeated answer is nobody's; that is how it should be.
		n.pending.Answer(bytes.Trim(m.ID, `"`), reply{result: bytes.Clone(m.Result), err: m.Error, at: now, from: src})
	}
}

// complain logs what strangers can cause, at most one line a second.
func (n *Node) complain(what string, src netip.AddrPort, err error) {
	if more, ok := n.badInput.Allow(time.Now()); ok {
		n.log.Warn(what, "from", src, "err", err, "more", more)
	}
}

func (n *Node) receiveRequest(m legacy.Message, src netip.AddrPort, p *Peer) {
	h, ok := n.handlers.get(m.Func)
	switch {
	case !ok && m.Func == legacy.PingFunc:
		n.sendTo(src, legacy.AppendResponse(nil, m.ID, pong(time.Now())))
	case !ok:
		n.refuse(m.ID, src, &RemoteError{Type: "RemoteError", Message: fmt.Sprintf("No function '%s' registered", m.Func)})
	case m.BadArgs != "":
		n.refuse(m.ID, src, &RemoteError{Type: "TypeError", Message: m.BadArgs})
	case !n.gate.Enter(src):
		n.refuse(m.ID, src, &RemoteError{Type: overloaded, Message: n.name + " is busy with other calls, or closing"})
	default:
		n.dispatch(h, m, src, p)
	}
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
