// Command capi is the C interface of PeerLink, built as a C library (c-shared or
// c-archive). peerlink.h is its contract.
//
// plq.c holds the functions that applications call, and both queues of a node;
// most never enter Go. The others come in here, by plgo_*. The Go side of a node
// fills the inbound queue (events.go) and the snapshot of the peers (peers.go),
// empties the outbound queue (outbound.go), and has these goroutines:
//
//	pump     one a node   from plgo_open to plgo_close: outbound queue, spilled events
//	forward  one a start  events of core to the application
//	refresh  one a start  what changes without an event, to the snapshot
//
// Calls have none, neither ours nor those of peers: what core has to say of them
// comes on its own goroutines, which are not held up.
package main

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra
#cgo windows CFLAGS: -DPL_BUILD
#cgo !windows LDFLAGS: -lpthread
#cgo noescape plq_push
#cgo nocallback plq_push
#cgo noescape plq_out_drain
#cgo nocallback plq_out_drain
#cgo nocallback plq_out_arm
#cgo nocallback plq_out_kick
#cgo nocallback plq_next_id
#cgo noescape plq_peer_put
#cgo nocallback plq_peer_put
#cgo nocallback plq_peer_drop
#cgo noescape plq_done
#cgo nocallback plq_done
#cgo nocallback plq_set_ports
#cgo noescape plq_set_fingerprint
#cgo nocallback plq_set_fingerprint
#cgo noescape plq_secret
#cgo nocallback plq_secret
#cgo nocallback plq_set_state
#cgo noescape plq_set_error
#cgo nocallback plq_set_error
#include "plq.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/cgo"
	"runtime/debug"
	"unsafe"

	peerlink "github.com/peerlink/peerlink/core"
)

func main() {} // a C library has none, but the compiler wants it

// minProcs is how many threads may run Go code at least, on however few CPUs. The
// one that reads the socket, those of the application that come in by plgo_*, and
// one that is just being taken from a system call: with fewer, a thread that comes
// in sleeps until the scheduler notices, which doubles the time of a call.
const minProcs = 4

func init() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < minProcs {
		runtime.GOMAXPROCS(minProcs)
	}
}

// These do not compile if C and Go disagree: on the version, on the numbers of the
// error codes, on the codecs.
var (
	_ = map[bool]int{false: 0, C.PLQ_VERSION == peerlink.Version: 1}
	_ = map[bool]int{false: 0, C.PL_E_INTERNAL == -int(peerlink.CodeInternal): 1}
	_ = map[bool]int{false: 0, C.PL_E_GONE == -int(peerlink.CodeGone): 1}
	_ = map[bool]int{false: 0, C.PL_LEGACY_OFF == int(peerlink.CompatOff) && C.PL_LEGACY_ON == int(peerlink.CompatOn): 1}
	_ = map[bool]int{false: 0, C.PL_JSON == int(peerlink.JSON) && C.PL_CBOR == int(peerlink.CBOR): 1}
)

// A statusError is one of the codes that exist only in C.
type statusError struct {
	status C.int32_t
	text   string
}

func (e *statusError) Error() string { return e.text }

// statusOf returns what C gets for err.
func statusOf(err error) C.int32_t {
	if e, ok := errors.AsType[*statusError](err); ok {
		return e.status
	}
	return -C.int32_t(peerlink.CodeOf(err))
}

// textOf returns the text of err and, for an error of a remote handler, its type.
// The operation and the peer are left out: the application knows them.
func textOf(err error) (typ, text string) {
	e, ok := errors.AsType[*peerlink.Error](err)
	switch {
	case !ok:
		return "", err.Error()
	case e.Code == peerlink.CodeRemote:
		if r, ok := errors.AsType[*peerlink.RemoteError](err); ok {
			return r.Type, r.Message
		}
	}
	bare := peerlink.Error{Code: e.Code, Err: e.Err} // knows causes that say less than the code
	return "", bare.Error()
}

// sentenceOf is textOf with the type in front.
func sentenceOf(err error) string {
	typ, text := textOf(err)
	if typ != "" {
		return typ + ": " + text
	}
	return text
}

// fail sets the text of pl_last_error and returns the status.
func fail(err error) C.int32_t {
	text := sentenceOf(err)
	C.plq_set_error((*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text)))
	return statusOf(err)
}

// result is fail, or PL_OK.
func result(err error) C.int32_t {
	if err != nil {
		return fail(err)
	}
	return C.PL_OK
}

// guard makes PL_E_INTERNAL of a panic. It is deferred by every export.
func guard(st *C.int32_t) {
	if r := recover(); r != nil {
		*st = fail(panicError(r))
	}
}

func panicError(r any) error {
	return &peerlink.Error{Code: peerlink.CodeInternal, Err: fmt.Errorf("%v\n%s", r, debug.Stack())}
}

// cBytes are the bytes of a caller of ours, for as long as its call lasts: core copies
// what it keeps.
func cBytes(p unsafe.Pointer, size C.uint32_t) []byte {
	return unsafe.Slice((*byte)(p), int(size))
}

func nodeOf(h C.uintptr_t) *node { return cgo.Handle(h).Value().(*node) }

//export plgo_open
func plgo_open(c *C.plq_node, cfg *C.pl_config, out *C.uintptr_t) (st C.int32_t) {
	defer guard(&st)
	n, err := newNode(c, cfg)
	if err != nil {
		return fail(err)
	}
	*out = C.uintptr_t(cgo.NewHandle(n))
	return C.PL_OK
}

//export plgo_start
func plgo_start(h C.uintptr_t) (st C.int32_t) {
	defer guard(&st)
	return result(nodeOf(h).start())
}

//export plgo_stop
func plgo_stop(h C.uintptr_t, timeoutMS C.uint32_t) (st C.int32_t) {
	defer guard(&st)
	return result(nodeOf(h).stop(duration(timeoutMS)))
}

//export plgo_close
func plgo_close(h C.uintptr_t) {
	var st C.int32_t
	defer guard(&st)
	nodeOf(h).close()
}

//export plgo_free
func plgo_free(h C.uintptr_t) {
	var st C.int32_t
	defer guard(&st)
	cgo.Handle(h).Delete()
}

//export plgo_register
func plgo_register(h C.uintptr_t, fn *C.char) (st C.int32_t) {
	defer guard(&st)
	return result(nodeOf(h).register(C.GoString(fn)))
}

//export plgo_unregister
func plgo_unregister(h C.uintptr_t, fn *C.char) (st C.int32_t) {
	defer guard(&st)
	return result(nodeOf(h).unregister(C.GoString(fn)))
}

//export plgo_peer_add
func plgo_peer_add(h C.uintptr_t, name, addr *C.char, udp, tcp C.uint16_t, out *C.uint32_t) (st C.int32_t) {
	defer guard(&st)
	id, err := nodeOf(h).addPeer(C.GoString(name), C.GoString(addr), uint16(udp), uint16(tcp))
	*out = C.uint32_t(id)
	return result(err)
}

//export plgo_call_begin
func plgo_call_begin(h C.uintptr_t, id C.uint64_t, to C.uint32_t, fn *C.char, args unsafe.Pointer, size, timeoutMS, sliceMS C.uint32_t) (st C.int32_t) {
	defer guard(&st)
	n := nodeOf(h)
	return result(n.callWait(call{
		id: uint64(id), peer: uint32(to), fn: C.GoString(fn),
		req: n.request(cBytes(args, size)), timeout: callTimeout(timeoutMS),
	}, duration(sliceMS)))
}

//export plgo_reply
func plgo_reply(h C.uintptr_t, id C.uint64_t, data unsafe.Pointer, size C.uint32_t) (st C.int32_t) {
	defer guard(&st)
	n := nodeOf(h)
	n.served.reply(uint64(id), n.payload(cBytes(data, size)))
	return C.PL_OK
}

//export plgo_reply_error
func plgo_reply_error(h C.uintptr_t, id C.uint64_t, typ *C.char, message unsafe.Pointer, size C.uint32_t) (st C.int32_t) {
	defer guard(&st)
	text := string(C.GoBytes(message, C.int(size)))
	nodeOf(h).served.fail(uint64(id), &peerlink.RemoteError{Type: C.GoString(typ), Message: text})
	return C.PL_OK
}

//export plgo_call_wanted
func plgo_call_wanted(h C.uintptr_t, id C.uint64_t) (st C.int32_t) {
	defer guard(&st)
	if nodeOf(h).served.wanted(uint64(id)) {
		return 1
	}
	return 0
}

//export plgo_secret_new
func plgo_secret_new(buf *C.char, size C.size_t) (st C.int32_t) {
	defer guard(&st)
	secret := peerlink.NewSecret()
	if uint64(size) <= uint64(len(secret)) {
		return fail(&peerlink.Error{Code: peerlink.CodeTooLarge})
	}
	out := unsafe.Slice(buf, len(secret)+1)
	copyText(out, secret)
	out[len(secret)] = 0
	return C.int32_t(len(secret))
}
