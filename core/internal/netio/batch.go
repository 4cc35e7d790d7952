package netio

import "net/netip"

const (
	// batchSlots is how many datagrams one system call may bring, and more where the
	// kernel joins those of one sender (UDP GRO).
	batchSlots = 8
	// maxDatagram is the largest UDP payload there is (RFC 768), and what the kernel
	// joins to.
	maxDatagram = 65535
	// MaxSegments is how many datagrams WriteSegments sends at most.
	MaxSegments = 32
)

// A Batch takes what one read brings. It belongs to one reader.
type Batch struct {
	next, count int
	slots       [batchSlots]slot
	sys         batchSys
}

// A slot is one message of the kernel: a datagram, or several of equal size, but for
// the last, that came from one address.
type slot struct {
	buf     []byte // allocated when first used
	rest    []byte // what Next has not returned
	from    netip.AddrPort
	segment int // 0: it is one datagram
}

// Next returns the next datagram, which is valid until the Batch is used again.
func (b *Batch) Next() (datagram []byte, from netip.AddrPort, ok bool) {
	if b.next >= b.count {
		return nil, netip.AddrPort{}, false
	}
	s := &b.slots[b.next]
	datagram = s.rest
	if s.segment > 0 && len(datagram) > s.segment {
		datagram = datagram[:s.segment:s.segment]
	}
	s.rest = s.rest[len(datagram):]
	if len(s.rest) == 0 {
		b.next++
	}
	return datagram, s.from, true
}

func (s *slot) room() []byte {
	if s.buf == nil {
		s.buf = make([]byte, maxDatagram)
	}
	return s.buf
}

// batchConn is a Conn that can do more than one datagram at a time.
type batchConn interface {
	readBatch(*Batch) error
	writeSegments(b []byte, size int, to netip.AddrPort) error
}

// ReadBatch waits for one datagram at least. Errors are those of
// Conn.ReadFromUDPAddrPort.
func ReadBatch(c Conn, b *Batch) error {
	b.next, b.count = 0, 0
	if bc, ok := c.(batchConn); ok {
		return bc.readBatch(b)
	}
	s := &b.slots[0]
	n, from, err := c.ReadFromUDPAddrPort(s.room())
	if err != nil {
		return err
	}
	s.rest, s.from, s.segment = s.buf[:n], unmapped(from), 0
	b.count = 1
	return nil
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// WriteSegments sends b as datagrams of size bytes each, the last perhaps shorter, at
// most MaxSegments of them.
func WriteSegments(c Conn, b []byte, size int, to netip.AddrPort) error {
	if bc, ok := c.(batchConn); ok && len(b) > size {
		return bc.writeSegments(b, size, to)
	}
	for len(b) > 0 {
		k := min(size, len(b))
		if _, err := c.WriteToUDPAddrPort(b[:k], to); err != nil {
			return err
		}
		b = b[k:]
	}
	return nil
}
