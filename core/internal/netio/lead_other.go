//go:build !linux || !(amd64 || arm64)

package netio

// ListenLead returns an ordinary socket: there is no LeadConn on this system.
func ListenLead(port uint16, fixed bool) (Conn, error) { return Host{}.ListenUDP(port, fixed) }
