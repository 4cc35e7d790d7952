package link

// maxGaps is how many gaps between the calls begun are kept. Each is a call that
// has not arrived, or never will because it was given up before it was sent.
const maxGaps = 1024

// A verdict says what to do with a call.
type verdict uint8

const (
	begin  verdict = iota // it is new
	repeat                // it has been begun, or refused
	stale                 // it is too old to tell
)

// once remembers which calls of a peer were begun, so that none is begun twice.
// Calls are numbered from 1, so in the long run it is one range.
type once struct {
	begun spans
	floor uint64 // nothing below will be begun
}

// look tells what to do with call id, without noting it.
func (o *once) look(id uint64) verdict {
	switch {
	case id < o.floor:
		return stale
	case o.begun.has(id, id+1):
		return repeat
	default:
		return begin
	}
}

// note enters id as begun.
func (o *once) note(id uint64) {
	o.begun.add(id, id+1)
	if len(o.begun) > maxGaps {
		o.floor = o.begun[1].from
		o.begun = append(o.begun[:0], o.begun[1:]...)
	}
}
