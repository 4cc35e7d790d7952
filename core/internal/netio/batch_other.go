//go:build !linux || !(amd64 || arm64)

package netio

import "net"

type batchSys struct{}

// batched returns conn itself: there is no batch I/O on this system.
func batched(conn *net.UDPConn) (Conn, error) { return conn, nil }
