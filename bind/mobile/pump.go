package peerlink

import (
	"context"

	core "github.com/peerlink/peerlink/core"
)

// pump delivers the events of s, one at a time. It ends after EventStopped, which
// it holds back until the handlers of outgoing calls have returned.
func (s *session) pump(before <-chan struct{}) {
	defer close(s.idle)
	defer s.logs.close()
	if before != nil {
		<-before
	}
	s.deliver(&Event{kind: EventStarted})
	for s.ctx.Err() == nil {
		select {
		case e := <-s.queue:
			s.deliver(e)
		case <-s.ctx.Done():
		}
	}
	for len(s.queue) > 0 {
		s.deliver(<-s.queue)
	}
	s.outbox.close()
	s.deliver(&Event{kind: EventStopped})
}

// deliver calls OnEvent, unless e is a call that nobody waits for any more.
func (s *session) deliver(e *Event) {
	if e.kind == EventCall && !s.inbox.waits(e.callID) {
		return
	}
	err := protect("event handler", func() error { return s.handler.OnEvent(e) })
	if err == nil {
		return
	}
	s.log.Error("event handler failed", "kind", e.kind, "error", err)
	if e.kind == EventCall {
		s.inbox.answer(e.callID, answer{err: &core.RemoteError{Message: thrown(err)}})
	}
}

// thrown returns the text of an exception; many have none.
func thrown(err error) string {
	if text := err.Error(); text != "" {
		return text
	}
	return "handler failed"
}

// post queues e, and waits while the queue is full.
func (s *session) post(ctx context.Context, e *Event) error {
	select {
	case s.queue <- e:
		return nil
	case <-ctx.Done():
		return closed("event")
	case <-s.ctx.Done():
		return closed("event")
	}
}

// discoveryFailed tells the application, which may be too busy to hear it.
func (s *session) discoveryFailed(code int32, detail string) {
	select {
	case s.queue <- &Event{kind: EventDiscoveryFailed, code: code, detail: detail}:
	default:
		s.log.Warn("event dropped", "kind", EventDiscoveryFailed, "detail", detail)
	}
}

// watchPeers queues what core says about peers. A slow application loses nothing:
// core merges events meanwhile.
func (s *session) watchPeers() {
	defer guard("watch")
	for ev := range s.core.Events(s.ctx) {
		e := peerEvent(ev)
		if e != nil && s.post(s.ctx, e) != nil {
			return
		}
	}
}
