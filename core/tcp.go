package peerlink

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/peerlink/peerlink/core/internal/legacy"
)

// What one connection may cost before it has said anything sensible.
const (
	maxStrangers  = 64
	firstLineTime = 3 * time.Second
	firstLineSize = 2 << 10 // bytes
	maxDrain      = 1 << 20 // bytes
)

// accept takes TCP connections until the listener is closed. 1.x nodes open them
// for streams and files, of which this version serves none; it says so instead of
// letting them wait.
func (n *Node) accept() {
	slots := make(chan struct{}, maxStrangers)
	for {
		conn, err := n.tcp.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, or the peer was gone already
			if !n.pause(50 * time.Millisecond) {
				return
			}
			continue
		}
		select {
		case slots <- struct{}{}:
			n.spawn(func() {
				defer func() { <-slots }()
				n.refuseConn(conn)
			})
		default:
			_ = conn.Close()
		}
	}
}

// refuseConn reads the first line and answers in kind that there is no such thing.
func (n *Node) refuseConn(conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(n.ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(firstLineTime))
	line, err := bufio.NewReaderSize(io.LimitReader(conn, firstLineSize), firstLineSize).ReadString('\n')
	if err != nil {
		return
	}
	switch {
	case strings.HasPrefix(line, "GET "), strings.HasPrefix(line, "PUT "):
		_, _ = io.WriteString(conn, "HTTP/1.1 404 Not Found\r\n\r\n")
		drain(conn)
	case strings.HasPrefix(line, "{"):
		_, _ = conn.Write(legacy.AppendStreamError(nil, []byte(line)))
	}
}

// drain reads what a PUT still sends: to close on it would be a reset, and the
// answer could be lost with it.
func drain(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, maxDrain))
}
