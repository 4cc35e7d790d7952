//go:build linux && (amd64 || arm64)

package netio

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// batchSys is what recvmmsg(2) wants to see of a Batch.
type batchSys struct {
	msgs     [batchSlots]mmsghdr
	iovs     [batchSlots]unix.Iovec
	names    [batchSlots]unix.RawSockaddrInet6
	controls [batchSlots][segmentControl]byte
}

// segmentControl is the size of a control message with the size of a segment.
const segmentControl = 24 // CMSG_SPACE(sizeof(int)), and of a uint16 as well

// udpSocket makes the system calls.
type udpSocket struct {
	ipv6 bool
	gso  atomic.Bool // the kernel cuts what is sent; false after it could not
	gro  sync.Once   // the kernel was asked to join what comes
}

func (u *udpSocket) setUp(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	u.ipv6 = domain == unix.AF_INET6
	_, err = unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	u.gso.Store(err == nil) // Linux 4.18
	return nil
}

// join asks the kernel to join what comes (Linux 5.0). Without it all works, slower.
// Whoever reads must look at the segment sizes from then on.
func (u *udpSocket) join(fd int) {
	u.gro.Do(func() { _ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) })
}

// receive is recvmmsg(2).
func (u *udpSocket) receive(fd int, b *Batch, flags int) error {
	u.join(fd)
	sys := &b.sys
	for i := range sys.msgs {
		buf := b.slots[i].room()
		sys.iovs[i] = unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
		h := &sys.msgs[i].hdr
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&sys.names[i])), uint32(unsafe.Sizeof(sys.names[i]))
		h.Iov, h.Iovlen = &sys.iovs[i], 1
		h.Control, h.Controllen = &sys.controls[i][0], segmentControl
		h.Flags = 0
	}
	n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&sys.msgs[0])), batchSlots,
		uintptr(flags), 0, 0)
	if errno != 0 {
		return errno
	}
	b.next, b.count = 0, int(n)
	for i := range b.count {
		s, m := &b.slots[i], &sys.msgs[i]
		s.rest = s.buf[:m.len]
		s.from = addrPortOf(&sys.names[i])
		s.segment = segmentOf(sys.controls[i][:m.hdr.Controllen])
	}
	return nil
}

// segmentOf reads the control message of UDP GRO; 0 if there is none.
func segmentOf(control []byte) int {
	const dataAt = int(unsafe.Sizeof(unix.Cmsghdr{}))
	if len(control) < dataAt+4 {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if h.Level != unix.IPPROTO_UDP || h.Type != unix.UDP_GRO {
		return 0
	}
	return int(binary.NativeEndian.Uint32(control[dataAt:]))
}

// send is sendto(2).
func (u *udpSocket) send(fd int, b []byte, to netip.AddrPort) error {
	var addr unix.RawSockaddrInet6
	size, err := u.raw(&addr, to)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		0, uintptr(unsafe.Pointer(&addr)), size)
	if errno != 0 {
		return errno
	}
	return nil
}

// sendSegments is sendmsg(2) with the size at which the kernel cuts (UDP GSO).
func (u *udpSocket) sendSegments(fd int, b []byte, segment int, to netip.AddrPort) error {
	var addr unix.RawSockaddrInet6
	size, err := u.raw(&addr, to)
	if err != nil {
		return err
	}
	var control [segmentControl]byte
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(int(unsafe.Sizeof(*h)) + 2)
	binary.NativeEndian.PutUint16(control[unsafe.Sizeof(*h):], uint16(segment))
	iov := unix.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))}
	msg := unix.Msghdr{
		Name: (*byte)(unsafe.Pointer(&addr)), Namelen: uint32(size),
		Iov: &iov, Iovlen: 1, Control: &control[0], Controllen: segmentControl,
	}
	_, _, errno := syscall.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// raw writes an address in the form of the socket's family.
func (u *udpSocket) raw(raw *unix.RawSockaddrInet6, to netip.AddrPort) (size uintptr, err error) {
	if !u.ipv6 {
		if !to.Addr().Unmap().Is4() {
			return 0, &net.AddrError{Err: "no IPv6 on this machine", Addr: to.String()}
		}
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
		v4.Family, v4.Addr = unix.AF_INET, to.Addr().Unmap().As4()
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&v4.Port))[:], to.Port())
		return unsafe.Sizeof(*v4), nil
	}
	raw.Family, raw.Addr = unix.AF_INET6, to.Addr().As16()
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&raw.Port))[:], to.Port())
	if zone := to.Addr().Zone(); zone != "" {
		raw.Scope_id = zoneIndex(zone)
	}
	return unsafe.Sizeof(*raw), nil
}

// addrPortOf reads an address; IPv4 is not mapped to IPv6.
func addrPortOf(raw *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&raw.Port))[:])
	if raw.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(raw)).Addr), port)
	}
	addr := netip.AddrFrom16(raw.Addr).Unmap()
	if raw.Scope_id != 0 && addr.Is6() {
		addr = addr.WithZone(zoneName(raw.Scope_id))
	}
	return netip.AddrPortFrom(addr, port)
}

// sendAll sends b in datagrams of size bytes: by sendSegments, or one after the other
// once that has failed, since some drivers and tunnels say EIO or EINVAL.
func (u *udpSocket) sendAll(fd int, b []byte, size int, to netip.AddrPort) error {
	if u.gso.Load() {
		switch err := u.sendSegments(fd, b, size, to); err {
		case unix.EIO, unix.EINVAL, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
			u.gso.Store(false)
		default:
			return err
		}
	}
	for len(b) > 0 {
		k := min(size, len(b))
		if err := u.send(fd, b[:k], to); err != nil {
			return err
		}
		b = b[k:]
	}
	return nil
}
