package wire

import (
	"errors"
	"io"
	"strconv"
)

// A FrameType says what a frame of a DATA packet is (§9).
type FrameType uint64

const (
	FramePadding FrameType = iota
	FramePing
	FrameAck
	FrameCall
	FrameMore
	FrameReply
	FrameWorking
	FrameCancel
	FramePathChallenge
	FramePathResponse
	FrameClose
)

var frameNames = [...]string{
	"PADDING", "PING", "ACK", "CALL", "MORE", "REPLY", "WORKING", "CANCEL",
	"PATH_CHALLENGE", "PATH_RESPONSE", "CLOSE",
}

func (t FrameType) String() string {
	if t >= FrameType(len(frameNames)) {
		return "frame type " + strconv.FormatUint(uint64(t), 10)
	}
	return frameNames[t]
}

// Eliciting reports whether a packet that holds such a frame is to be
// acknowledged. Those of unknown type are.
func (t FrameType) Eliciting() bool {
	return t != FramePadding && t != FrameAck && t != FrameClose
}

var errFrame = errors.New("wire: malformed frame")

// NextFrame takes the next frame off the plaintext b of a packet, whatever its type,
// but for PADDING, which it skips. At the end the error is io.EOF. After any
// other error nothing of the packet can be read any more.
func NextFrame(b []byte) (typ FrameType, body, rest []byte, err error) {
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, nil, nil, io.EOF
	}
	t, b := varint(b)
	n, b := varint(b)
	body, rest = take(b, n)
	if rest == nil || FrameType(t) == FramePadding { // which has one form only
		return 0, nil, nil, errFrame
	}
	return FrameType(t), body, rest, nil
}

// lengthLen is the size of the length of a frame for which openFrame leaves room.
// It does not depend on the length, so that Overhead does not either.
const lengthLen = 2

// openFrame begins a frame of at most 16,383 bytes of body.
func openFrame(b []byte, t FrameType) []byte {
	return append(b, byte(t), 0, 0)
}

// closeFrame fills in the length of the frame that began at start, and ends with b.
func closeFrame(b []byte, start int) []byte {
	n := len(b) - start - 1 - lengthLen
	b[start+1] = 0x40 | byte(n>>8)
	b[start+2] = byte(n)
	return b
}

// AppendPing appends a PING.
func AppendPing(b []byte) []byte {
	return append(b, byte(FramePing), 0)
}
