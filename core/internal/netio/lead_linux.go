//go:build linux && (amd64 || arm64)

package netio

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	leadSlice = 5 * time.Millisecond // how long LeadRead waits
	aside     = time.Millisecond     // how long the reader stands aside when nobody leads any more
)

// nudge is a datagram that the reader sends to its own socket, to wake who leads. It is
// garbage to whoever gets it.
var nudge = []byte{0}

// leadConn is a UDP socket outside of Go's network poller. The reader polls it
// together with an event that asks it to stand aside.
type leadConn struct {
	fd, event int
	alone     bool // Go has one processor only
	local     *net.UDPAddr
	udpSocket

	users  atomic.Int64 // calls under way; closed is added when Close has begun
	gone   chan struct{}
	closed atomic.Bool

	leading atomic.Bool
	polling atomic.Bool   // the reader waits for a datagram
	left    atomic.Int64  // when the last leader left, ns since started
	taken   atomic.Bool   // the reader works on what it took, which somebody who leads may wait for
	wakeup  chan struct{} // the reader need not stand aside any longer
	done    chan struct{} // closed by Close
}

var started = time.Now()

// leadable makes a LeadConn of conn, which it closes: that takes it out of the poller,
// while the copy stays open.
func leadable(conn *net.UDPConn) (Conn, error) {
	c := &leadConn{
		local: conn.LocalAddr().(*net.UDPAddr),
		gone:  make(chan struct{}), wakeup: make(chan struct{}, 1), done: make(chan struct{}),
		alone: runtime.GOMAXPROCS(0) == 1,
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	if controlErr := raw.Control(func(fd uintptr) { err = c.adopt(int(fd)) }); err == nil {
		err = controlErr
	}
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return c, conn.Close()
}

// yield lets other goroutines run first if a system call would take the only processor
// with it: it is given back after a while only.
func (c *leadConn) yield() {
	if c.alone {
		runtime.Gosched()
	}
}

// adopt copies a descriptor and makes it blocking.
func (c *leadConn) adopt(fd int) (err error) {
	if err := c.setUp(fd); err != nil {
		return err
	}
	if c.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	if c.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
		return errors.Join(err, unix.Close(c.event))
	}
	wait := unix.NsecToTimeval(int64(leadSlice))
	if err = errors.Join(unix.SetNonblock(c.fd, false), unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)); err != nil {
		return errors.Join(err, unix.Close(c.event), unix.Close(c.fd))
	}
	return nil
}

// enter holds the descriptors open until leave; false after Close.
func (c *leadConn) enter() bool {
	c.users.Add(1)
	if c.closed.Load() {
		c.leave()
		return false
	}
	return true
}

func (c *leadConn) leave() {
	if c.users.Add(-1) == 0 && c.closed.Load() {
		select {
		case c.gone <- struct{}{}:
		default:
		}
	}
}

// Close gives the port back.
func (c *leadConn) Close() error {
	c.users.Add(1)
	if c.closed.Swap(true) {
		c.leave()
		return net.ErrClosed
	}
	c.signal()
	close(c.done)
	_ = unix.Shutdown(c.fd, unix.SHUT_RDWR) // wakes who reads, although it says that it is not connected
	for c.users.Load() > 1 {
		select {
		case <-c.gone:
		case <-time.After(time.Millisecond):
		}
	}
	return os.NewSyscallError("close", errors.Join(unix.Close(c.fd), unix.Close(c.event)))
}

// LocalAddr returns a *net.UDPAddr.
func (c *leadConn) LocalAddr() net.Addr { return c.local }

// signal wakes the reader without a datagram.
func (c *leadConn) signal() {
	one := [8]byte{}
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(c.event, one[:])
}

// Lead makes the caller the one that reads.
func (c *leadConn) Lead() bool {
	if !c.leading.CompareAndSwap(false, true) {
		return false
	}
	if c.polling.Load() {
		c.signal()
	}
	return true
}

// Unlead lets others read.
func (c *leadConn) Unlead(resume bool) {
	if !resume {
		c.left.Store(int64(time.Since(started)))
		c.leading.Store(false)
		return
	}
	c.left.Store(0)
	c.leading.Store(false)
	select {
	case c.wakeup <- struct{}{}:
	default:
	}
}

// led reports whether somebody leads, or did so a moment ago.
func (c *leadConn) led() bool {
	return c.leading.Load() || time.Since(started)-time.Duration(c.left.Load()) < aside && c.left.Load() != 0
}

// ReadFromUDPAddrPort is for the reader.
func (c *leadConn) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	err = c.whileNobodyLeads(func() (err error) {
		n, from, err = c.receiveOne(b, unix.MSG_DONTWAIT)
		return err
	})
	return n, from, err
}

// whileNobodyLeads waits for a datagram and takes it by receive.
func (c *leadConn) whileNobodyLeads(receive func() error) error {
	if !c.enter() {
		return net.ErrClosed
	}
	defer c.leave()
	if c.taken.Swap(false) && c.leading.Load() { // it may have been what the leader waits for
		_, _ = c.WriteToUDPAddrPort(nudge, c.self())
	}
	for {
		if c.closed.Load() {
			return net.ErrClosed
		}
		if c.led() {
			c.standAside()
			continue
		}
		c.polling.Store(true)
		if c.led() { // just now, and perhaps unseen
			c.polling.Store(false)
			continue
		}
		c.yield()
		c.poll()
		c.polling.Store(false)
		switch err := receive(); {
		case err == unix.EAGAIN || err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("recvmsg", err)
		default:
			c.taken.Store(true)
			return nil
		}
	}
}

func (c *leadConn) standAside() {
	timer := time.NewTimer(aside)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.wakeup:
	case <-c.done:
	}
}

// poll waits for a datagram or a signal.
func (c *leadConn) poll() {
	fds := [2]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}, {Fd: int32(c.event), Events: unix.POLLIN}}
	_, _ = unix.Poll(fds[:], -1)
	if fds[1].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(c.event, count[:])
	}
}

// LeadRead is for who leads.
func (c *leadConn) LeadRead(b *Batch) error {
	b.next, b.count = 0, 0
	if !c.enter() {
		return net.ErrClosed
	}
	defer c.leave()
	c.yield()
	err := c.receive(c.fd, b, unix.MSG_WAITFORONE)
	c.dropNudges(b)
	switch {
	case c.closed.Load():
		return net.ErrClosed
	case err == unix.EAGAIN:
		return os.ErrDeadlineExceeded
	case err == unix.EINTR:
		return nil
	case err != nil:
		return os.NewSyscallError("recvmmsg", err)
	}
	return nil
}

// receiveOne is recvfrom(2).
func (c *leadConn) receiveOne(b []byte, flags int) (int, netip.AddrPort, error) {
	var from unix.RawSockaddrInet6 // large enough for both
	size := uint32(unsafe.Sizeof(from))
	n, _, errno := syscall.Syscall6(unix.SYS_RECVFROM, uintptr(c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		uintptr(flags), uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, netip.AddrPort{}, errno
	}
	if size == 0 {
		return 0, netip.AddrPort{}, unix.EAGAIN // shut down
	}
	return int(n), addrPortOf(&from), nil
}

func (c *leadConn) self() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(c.local.Port))
}

// readBatch is for the reader.
func (c *leadConn) readBatch(b *Batch) error {
	return c.whileNobodyLeads(func() error {
		err := c.receive(c.fd, b, unix.MSG_DONTWAIT)
		c.dropNudges(b)
		return err
	})
}

// dropNudges takes out what the reader sent to itself.
func (c *leadConn) dropNudges(b *Batch) {
	for i := b.next; i < b.count; {
		s := b.slots[i]
		if len(s.rest) != len(nudge) || s.rest[0] != nudge[0] || s.from != c.self() {
			i++
			continue
		}
		copy(b.slots[i:b.count], b.slots[i+1:b.count])
		b.count--
		b.slots[b.count] = s // its buffer is of use yet
	}
}

// WriteToUDPAddrPort sends b as one datagram.
func (c *leadConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if !c.enter() {
		return 0, net.ErrClosed
	}
	defer c.leave()
	for {
		switch err := c.send(c.fd, b, to); err {
		case nil:
			return len(b), nil
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("sendto", err)
		}
	}
}

func (c *leadConn) writeSegments(b []byte, size int, to netip.AddrPort) error {
	if !c.enter() {
		return net.ErrClosed
	}
	defer c.leave()
	if err := c.sendAll(c.fd, b, size, to); err != nil {
		return os.NewSyscallError("sendmsg", err)
	}
	return nil
}

// zones are the names of interfaces by index, which hardly ever change. Package net
// keeps its own for a minute, too.
var zones struct {
	sync.Mutex
	names map[uint32]string
	at    time.Time
}

const zonesLife = time.Minute

func zoneName(index uint32) string {
	zones.Lock()
	defer zones.Unlock()
	refreshZones()
	if name, ok := zones.names[index]; ok {
		return name
	}
	return strconv.FormatUint(uint64(index), 10)
}

func zoneIndex(zone string) uint32 {
	zones.Lock()
	defer zones.Unlock()
	refreshZones()
	for index, name := range zones.names {
		if name == zone {
			return index
		}
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}

func refreshZones() {
	if time.Since(zones.at) < zonesLife && zones.names != nil {
		return
	}
	list, err := net.Interfaces()
	if err != nil {
		return
	}
	zones.names, zones.at = make(map[uint32]string, len(list)), time.Now()
	for _, i := range list {
		zones.names[uint32(i.Index)] = i.Name
	}
}
