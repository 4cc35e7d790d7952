package netio

import (
	"errors"
	"net"
	"strconv"
	"syscall"
)

// socketBuffer is how much the kernel may hold for the UDP socket, in bytes. Its
// default, about 200 kB on Linux, is a burst of 160 full datagrams.
const socketBuffer = 4 << 20

// ListenUDP binds a UDP socket for IPv4 and IPv6 on all addresses. With fixed it
// takes port or fails; otherwise port is a wish, and any free one will do.
func ListenUDP(port uint16, fixed bool) (*net.UDPConn, error) {
	conn, err := wish(port, fixed, func(address string) (*net.UDPConn, error) {
		return listenBoth(address, func(network string) (*net.UDPConn, error) {
			pc, err := net.ListenPacket("udp"+network, address)
			if err != nil {
				return nil, err
			}
			return pc.(*net.UDPConn), nil
		})
	})
	if err != nil {
		return nil, err
	}
	// The kernel caps what it does not like; less is no reason to fail.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	return conn, nil
}

// ListenTCP is ListenUDP for a TCP listener.
func ListenTCP(port uint16, fixed bool) (net.Listener, error) {
	return wish(port, fixed, func(address string) (net.Listener, error) {
		return listenBoth(address, func(network string) (net.Listener, error) {
			return net.Listen("tcp"+network, address)
		})
	})
}

func wish[S any](port uint16, fixed bool, listen func(address string) (S, error)) (S, error) {
	s, err := listen(":" + strconv.Itoa(int(port)))
	if err != nil && !fixed { // taken, or on Windows perhaps reserved
		return listen(":0")
	}
	return s, err
}

// listenBoth prefers one socket for both protocols and takes IPv4 alone where the
// kernel has no IPv6.
func listenBoth[S any](address string, listen func(network string) (S, error)) (S, error) {
	s, err := listen("")
	if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
		return listen("4")
	}
	return s, err
}
