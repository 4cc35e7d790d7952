package main

// #include "plq.h"
import "C"

import (
	"bytes"
	"sync"
	"sync/atomic"
	"unsafe"

	peerlink "github.com/peerlink/peerlink/core"
)

// outbound reads what the application put into the outbound queue.
type outbound struct {
	wake    *sleeper
	closing atomic.Bool
	done    chan struct{} // closed when the pump has ended

	takeMu sync.Mutex // who reads the queue
	buf    []byte
}

func (o *outbound) open(n *node) (err error) {
	if o.wake, err = newSleeper(n.c); err != nil {
		return err
	}
	o.done = make(chan struct{})
	o.buf = make([]byte, 64<<10)
	go o.pump(n)
	return nil
}

func (o *outbound) close(n *node) {
	o.closing.Store(true)
	C.plq_out_kick(n.c)
	<-o.done
	o.wake.close()
}

// pump runs until close. It sleeps while there is nothing to send and no room for
// spilled events.
func (o *outbound) pump(n *node) {
	defer close(o.done)
	for !o.closing.Load() {
		n.events.refill()
		var take C.int32_t
		if !n.events.over() {
			take = 1
			o.take(n)
		}
		if C.plq_out_arm(n.c, take) == 0 {
			o.wake.sleep()
		}
	}
}

// take empties the queue.
func (o *outbound) take(n *node) {
	defer n.caught("outbound queue")
	o.takeMu.Lock()
	defer o.takeMu.Unlock()
	buf := o.buf
	for {
		var count C.uint32_t
		used := C.plq_out_drain(n.c, unsafe.Pointer(&buf[0]), C.size_t(len(buf)), &count)
		switch {
		case used == C.PL_E_TOO_LARGE:
			buf = make([]byte, count) // for this once
			continue
		case used <= 0:
			return
		}
		for at := 0; at < int(used); {
			rec := (*C.pl_record)(unsafe.Pointer(&buf[at]))
			name, data := parts(buf[at:])
			n.dispatch(rec, name, data)
			at += int(rec.rec_len)
		}
	}
}

// parts copies the name and the data of the record at the beginning of b.
func parts(b []byte) (string, []byte) {
	rec := (*C.pl_record)(unsafe.Pointer(&b[0]))
	head := int(unsafe.Sizeof(*rec))
	nameEnd := head + int(rec.name_len)
	data := (nameEnd + 1 + 7) &^ 7
	return string(b[head:nameEnd]), bytes.Clone(b[data : data+int(rec.data_len)])
}

func (n *node) dispatch(rec *C.pl_record, name string, data []byte) {
	id := uint64(rec.id)
	switch rec._type {
	case C.PLQ_OUT_CALL:
		n.beginCall(call{
			id: id, user: uint64(rec.user), peer: uint32(rec.peer), fn: name,
			req: n.request(data), timeout: callTimeout(C.uint32_t(rec.status)),
		})
	case C.PLQ_OUT_CANCEL:
		n.calls.cancel(id)
	case C.PLQ_OUT_REPLY:
		n.served.reply(id, n.payload(data))
	case C.PLQ_OUT_REPLY_ERROR:
		n.served.fail(id, &peerlink.RemoteError{Type: name, Message: string(data)})
	}
}
