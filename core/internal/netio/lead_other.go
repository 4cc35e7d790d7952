//go:build !linux || !(amd64 || arm64)

package netio

import "net"

type batchSys struct{}

// leadable returns conn itself: there is neither batch I/O nor a LeadConn on this
// system.
func leadable(conn *net.UDPConn) (Conn, error) { return conn, nil }
