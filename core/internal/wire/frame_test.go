package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What frames without a type of their own are in tests.
type (
	ping struct{}
	ack  struct {
		Ranges []Range
		Delay  time.Duration
	}
	callID struct {
		Type FrameType
		ID   uint64
	}
	path struct {
		Type FrameType
		Data [8]byte
	}
)

// appendFrame appends a frame that parseFrame returned, or one like it.
func appendFrame(b []byte, frame any) []byte {
	switch f := frame.(type) {
	case ping:
		return AppendPing(b)
	case ack:
		return AppendAck(b, f.Ranges, f.Delay)
	case callID:
		return AppendID(b, f.Type, f.ID)
	case path:
		return AppendPath(b, f.Type, f.Data)
	case Call:
		return f.Append(b)
	case More:
		return f.Append(b)
	case Reply:
		return f.Append(b)
	case Close:
		return f.Append(b)
	default:
		panic("not a frame")
	}
}

// parseFrame gives nil for a frame of unknown type.
func parseFrame(t FrameType, body []byte) (any, error) {
	switch t {
	case FramePing:
		return ping{}, nil
	case FrameAck:
		ranges, delay, err := ParseAck(body, nil)
		return ack{ranges, delay}, err
	case FrameWorking, FrameCancel:
		id, err := ParseID(body)
		return callID{t, id}, err
	case FramePathChallenge, FramePathResponse:
		data, err := ParsePath(body)
		return path{t, data}, err
	case FrameCall:
		f, err := ParseCall(body)
		return f, err
	case FrameMore:
		f, err := ParseMore(body)
		return f, err
	case FrameReply:
		f, err := ParseReply(body)
		return f, err
	case FrameClose:
		f, err := ParseClose(body)
		return f, err
	default:
		return nil, nil
	}
}

// parseFrames reads the plaintext of a packet up to the first error.
func parseFrames(b []byte) (frames []any, err error) {
	for {
		var t FrameType
		var body []byte
		t, body, b, err = NextFrame(b)
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		frame, err := parseFrame(t, body)
		if err != nil {
			return frames, err
		}
		if frame != nil {
			frames = append(frames, frame)
		}
	}
}

func testFrames() map[string]any {
	return map[string]any{
		"PING":           ping{},
		"ACK":            ack{[]Range{{7, 7}}, 250 * time.Microsecond},
		"CALL":           Call{7, 5000, 2, []byte("add"), 4, []byte{0x82, 1, 2, 0xf6}},
		"CALL of all":    Call{MaxVarint, MaxVarint, 0xff, bytes.Repeat([]byte("n"), MaxName), MaxVarint, []byte{1}},
		"CALL of none":   Call{1, 0, 0, []byte{}, 0, []byte{}},
		"MORE":           More{Arguments, 7, 5000, 1100, pattern(900, 1)},
		"last MORE":      More{Result, 7, MaxVarint, MaxVarint - 2, []byte{1, 2}},
		"REPLY":          Reply{7, 0, 2, 1, []byte{3}},
		"REPLY of all":   Reply{MaxVarint, MaxVarint, 0xff, MaxVarint, pattern(1100, 1)},
		"WORKING":        callID{FrameWorking, 70_000},
		"CANCEL":         callID{FrameCancel, 1},
		"PATH_CHALLENGE": path{FramePathChallenge, [8]byte(pattern(8, 1))},
		"PATH_RESPONSE":  path{FramePathResponse, [8]byte(pattern(8, 1))},
		"CLOSE":          Close{2, "closed"},
		"CLOSE of all":   Close{MaxVarint, strings.Repeat("ü", MaxCloseText/2)},
	}
}

func TestFrames(t *testing.T) {
	for name, want := range testFrames() {
		b := appendFrame(nil, want)
		got, err := parseFrames(b)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
		for cut := 1; cut < len(b); cut++ {
			if got, err := parseFrames(b[:cut]); err == nil || len(got) > 0 {
				t.Errorf("%s cut at %d: %+v, %v", name, cut, got, err)
			}
		}
		if behind := appendFrame([]byte("head"), want); !bytes.Equal(behind, append([]byte("head"), b...)) {
			t.Errorf("%s behind something else is %x", name, behind)
		}
	}
}

// A body cut short is an error unless it was data or text that is cut.
func TestBodiesCut(t *testing.T) {
	for name, want := range testFrames() {
		typ, body, _, err := NextFrame(appendFrame(nil, want))
		if err != nil {
			t.Fatal(err)
		}
		data := 0
		switch f := want.(type) {
		case Call:
			data = len(f.Data)
		case More:
			data = len(f.Data)
		case Reply:
			data = len(f.Data)
		case Close:
			data = len(f.Text)
		}
		for cut := range len(body) - data {
			if got, err := parseFrame(typ, body[:cut]); err == nil {
				t.Errorf("%s cut at %d: %+v", name, cut, got)
			}
		}
	}
}

func TestOverhead(t *testing.T) {
	for name, f := range testFrames() {
		var overhead, data int
		switch f := f.(type) {
		case Call:
			overhead, data = f.Overhead(), len(f.Data)
		case More:
			overhead, data = f.Overhead(), len(f.Data)
		case Reply:
			overhead, data = f.Overhead(), len(f.Data)
		default:
			continue
		}
		if n := len(appendFrame(nil, f)); n != overhead+data {
			t.Errorf("%s: %d bytes, %d of them data, overhead %d", name, n, data, overhead)
		}
	}
	largest := Reply{ID: 1, Total: MaxVarint}
	largest.Data = make([]byte, 1<<14-1-(largest.Overhead()-1-lengthLen))
	if got, err := parseFrames(largest.Append(nil)); err != nil || !reflect.DeepEqual(got, []any{largest}) {
		t.Errorf("the largest body: %v", err)
	}
}

func TestNextFrame(t *testing.T) {
	b := append([]byte{0, 0}, AppendPing(nil)...)
	b = append(b, 0, 0x40, 0x21, 0x80, 0, 0, 2, 8, 9, 0) // type 0x21, length in 4 bytes
	b = AppendID(b, FrameCancel, 5)
	b = append(b, 0, 0, 0)
	for _, want := range []struct {
		typ  FrameType
		body []byte
	}{{FramePing, []byte{}}, {0x21, []byte{8, 9}}, {FrameCancel, []byte{5}}} {
		typ, body, rest, err := NextFrame(b)
		if err != nil || typ != want.typ || !bytes.Equal(body, want.body) || cap(body) != len(body) {
			t.Fatalf("%v, %x, %v", typ, body, err)
		}
		b = rest
	}
	if _, _, rest, err := NextFrame(b); !errors.Is(err, io.EOF) || rest != nil {
		t.Error(rest, err)
	}
	if _, _, _, err := NextFrame(nil); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestNextFrameRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"no length":          "01",
		"half a type":        "40",
		"half a length":      "0140",
		"length beyond":      "010200",
		"huge length":        "01ffffffffffffffff",
		"PADDING of 2 bytes": "4000",
	} {
		if typ, body, rest, err := NextFrame(unhex(t, in)); err == nil || errors.Is(err, io.EOF) || rest != nil {
			t.Errorf("%s: %v, %x, %x, %v", name, typ, body, rest, err)
		}
	}
}

func TestBodiesRefused(t *testing.T) {
	call := func(c Call) []byte { return c.Append(nil) }
	for name, b := range map[string][]byte{
		"CALL with more data than total":   call(Call{ID: 1, Name: []byte("f"), Total: 1, Data: []byte{1, 2}}),
		"CALL with a long name":            call(Call{ID: 1, Name: make([]byte, MaxName+1)}),
		"CALL with a name that is no text": call(Call{ID: 1, Name: []byte{0xc3}}),
		"MORE of no direction":             (&More{Direction: 2, ID: 1, Total: 1, Data: []byte{1}}).Append(nil),
		"MORE beyond total":                (&More{ID: 1, Total: 10, Offset: 9, Data: []byte{1, 2}}).Append(nil),
		"MORE behind total":                (&More{ID: 1, Total: 10, Offset: MaxVarint}).Append(nil),
		"REPLY with more data than total":  (&Reply{ID: 1, Data: []byte{1}}).Append(nil),
	} {
		if got, err := parseFrames(b); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTrailingBytesAreSkipped(t *testing.T) {
	for _, want := range []any{
		ping{}, callID{FrameWorking, 3}, callID{FrameCancel, 3}, path{FramePathChallenge, [8]byte{1}},
		path{FramePathResponse, [8]byte{1}}, ack{[]Range{{5, 9}, {1, 2}}, time.Microsecond},
	} {
		typ, body, _, _ := NextFrame(appendFrame(nil, want))
		if got, err := parseFrame(typ, append(body, 0xff, 0xff)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %+v, %v", typ, got, err)
		}
	}
}

func TestFrameType(t *testing.T) {
	for typ, c := range map[FrameType]struct {
		name      string
		eliciting bool
	}{
		0: {"PADDING", false}, 1: {"PING", true}, 2: {"ACK", false}, 3: {"CALL", true}, 4: {"MORE", true},
		5: {"REPLY", true}, 6: {"WORKING", true}, 7: {"CANCEL", true}, 8: {"PATH_CHALLENGE", true},
		9: {"PATH_RESPONSE", true}, 10: {"CLOSE", false}, 11: {"frame type 11", true}, MaxVarint: {"frame type 4611686018427387903", true},
	} {
		if typ.String() != c.name || typ.Eliciting() != c.eliciting {
			t.Errorf("%d: %s, %v", uint64(typ), typ, typ.Eliciting())
		}
	}
}

// Whatever can be read can be written, and means the same when read again.
func FuzzFrames(f *testing.F) {
	var all []byte
	for _, frame := range testFrames() {
		b := appendFrame(nil, frame)
		f.Add(b)
		all = append(append(all, 0), b...)
	}
	f.Add(all)
	f.Add([]byte{0x40, 0x21, 1, 9, 2, 4, 9, 0, 1, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		checkFailure(t, b)
		frames, _ := parseFrames(b)
		var out []byte
		for _, frame := range frames {
			if c, ok := frame.(Close); ok && len(c.Text) > MaxCloseText {
				return // likewise
			}
			out = appendFrame(out, frame)
		}
		if len(b) >= 1<<14 { // which Append does not take
			return
		}
		again, err := parseFrames(out)
		if err != nil || !reflect.DeepEqual(again, frames) {
			t.Fatalf("%+v, %v, want %+v", again, err, frames)
		}
	})
}

func checkFailure(t *testing.T, b []byte) {
	t.Helper()
	failure, err := ParseFailure(b)
	if err != nil || len(failure.Type) > MaxErrorType || len(failure.Message) > MaxErrorMessage {
		return // U+FFFD is longer than what it stands for, and would be cut when written
	}
	if again, err := ParseFailure(failure.Append(nil)); err != nil || again != failure {
		t.Fatalf("%+v, %v, want %+v", again, err, failure)
	}
}
