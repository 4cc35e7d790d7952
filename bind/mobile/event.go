package peerlink

import core "github.com/peerlink/peerlink/core"

// Kinds of an Event. More will come: ignore those you do not know.
const (
	EventStarted         int32 = 1 // the node runs
	EventStopped         int32 = 2 // the node has stopped: after this, nothing but the log comes until Start
	EventPeerUp          int32 = 3 // a peer appeared
	EventPeerMoved       int32 = 4 // the same peer has a new address
	EventPeerReplaced    int32 = 5 // another node took over the name; Detail: the ID of the one before
	EventPeerDown        int32 = 6 // a peer is gone; Detail: "removed" (it said so) or "expired"
	EventCall            int32 = 7 // a peer calls a function: answer with Reply or ReplyError
	EventDiscoveryFailed int32 = 8 // Code and Detail tell why peers cannot be found at present
	EventRenamed         int32 = 9 // the name was taken: Name is what others find this node under
)

// EventHandler gets the events of a node.
type EventHandler interface {
	// OnEvent is called for one event at a time. If it throws on EventCall, the
	// caller gets the exception's message as the error of the call, unless an
	// answer was given before; on other events it is logged.
	OnEvent(e *Event) error
}

// An Event is something that happened. It does not change. What a kind does not
// mention is empty.
type Event struct {
	kind, code       int32
	peerID, peerName string
	name, addr       string
	detail           string
	callID           int64
	data             []byte
	authenticated    bool
}

// Kind returns one of the Event constants.
func (e *Event) Kind() int32 { return e.get().kind }

// Code returns one of the Code constants, or 0.
func (e *Event) Code() int32 { return e.get().code }

// PeerID identifies the peer for as long as it runs. On EventCall it is empty if
// the caller is not in the list of peers.
func (e *Event) PeerID() string { return e.get().peerID }

// PeerName returns the name of the peer; on EventCall, what the caller calls
// itself, or "". That is only a claim: see Authenticated.
func (e *Event) PeerName() string { return e.get().peerName }

// Name returns the name of the function called, or on EventRenamed this node's.
func (e *Event) Name() string { return e.get().name }

// Addr returns the address and port of the peer, such as "192.168.1.5:49152".
func (e *Event) Addr() string { return e.get().addr }

// Detail returns a text; what it says depends on the kind.
func (e *Event) Detail() string { return e.get().detail }

// CallID returns what Reply and ReplyError want to know.
func (e *Event) CallID() int64 { return e.get().callID }

// Data returns the arguments of a call, in CBOR.
func (e *Event) Data() []byte { return e.get().data }

// Authenticated tells of an EventCall whether the caller has proved that it has our secret.
func (e *Event) Authenticated() bool { return e.get().authenticated }

func (e *Event) get() *Event {
	if e == nil {
		return new(Event)
	}
	return e
}

var peerKinds = map[core.EventKind]int32{
	core.PeerUp:       EventPeerUp,
	core.PeerDown:     EventPeerDown,
	core.PeerMoved:    EventPeerMoved,
	core.PeerReplaced: EventPeerReplaced,
}

// peerEvent translates what core says about a peer, or about our own name; nil for
// kinds not known here.
func peerEvent(ev core.Event) *Event {
	if ev.Kind == core.Renamed {
		return &Event{kind: EventRenamed, name: ev.Name}
	}
	kind, ok := peerKinds[ev.Kind]
	if !ok || ev.Peer == nil {
		return nil
	}
	e := &Event{
		kind:     kind,
		peerID:   ev.Peer.ID().String(),
		peerName: ev.Peer.Name(),
		addr:     ev.Peer.Addr().String(),
	}
	switch {
	case kind == EventPeerDown:
		e.detail = string(ev.Reason)
	case kind == EventPeerReplaced && ev.Old != nil:
		e.detail = ev.Old.ID().String()
	}
	return e
}
