package legacy

import (
	"crypto/md5" // what 1.x nodes use to spread ports, not for security
	"encoding/binary"
	"math/bits"
)

// basePort and portRange span the derived ports 49152 to 65534. The last
// port is never used: 1.1.1 counts the range one short.
const (
	basePort  = 49152
	portRange = 16383
)

// UDPPort derives the UDP port of the node called name, outside any realm.
// It is where a 1.x node binds; peers learn the port from mDNS.
func UDPPort(name string) uint16 { return derivePort(name) }

// TCPPort derives the TCP port of the node called name, outside any realm.
func TCPPort(name string) uint16 { return derivePort(name + "|tcp") }

// derivePort reads MD5(key) as a 128-bit big-endian number modulo portRange.
func derivePort(key string) uint16 {
	sum := md5.Sum([]byte(key))
	hi := binary.BigEndian.Uint64(sum[:8])
	lo := binary.BigEndian.Uint64(sum[8:])
	return uint16(basePort + bits.Rem64(hi, lo, portRange))
}
