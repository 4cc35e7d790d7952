package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

// A vector is an entry of a golden file, as testdata/golden/README.md says.
type vector struct {
	Name   string    `json:"name"`
	Hex    string    `json:"hex"`
	Packet fields    `json:"packet,omitempty"`
	Hello  fields    `json:"hello,omitempty"`
	Frames *[]fields `json:"frames,omitempty"`
	Error  bool      `json:"error,omitempty"`
}

type fields map[string]any

// A sample is a vector of which only the bytes are there yet.
type sample struct {
	name string
	b    []byte
	bad  bool
}

// The files must be what the package makes of the samples now.
func TestGolden(t *testing.T) {
	for file, vectors := range map[string][]vector{
		"packets.json": vectorsOf(t, packetSamples(), describePacket),
		"hello.json":   vectorsOf(t, helloSamples(), describeHello),
		"frames.json":  vectorsOf(t, frameSamples(), describeFrames),
	} {
		want, err := json.MarshalIndent(vectors, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		if *update {
			if err := os.WriteFile("testdata/golden/"+file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile("testdata/golden/" + file)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the package does now (%v): if that is meant, go test -run Golden -update", file, err)
		}
	}
}

func vectorsOf(t *testing.T, samples []sample, describe func(*vector, []byte) error) []vector {
	t.Helper()
	var all []vector
	names := make(map[string]bool)
	for _, s := range samples {
		v := vector{Name: s.name, Hex: hex.EncodeToString(s.b)}
		err := describe(&v, s.b)
		if v.Error = err != nil; v.Error != s.bad || names[s.name] {
			t.Errorf("%s: %v", s.name, err)
		}
		names[s.name] = true
		all = append(all, v)
	}
	return all
}

func describePacket(v *vector, b []byte) error {
	if h, err := ParseHeader(b); err == nil {
		v.Packet = fields{
			"type": "DATA", "key_phase": h.Phase, "session_number": h.Session, "packet_number": h.Number,
			"sealed": hex.EncodeToString(b[HeaderSize:]),
		}
		return nil
	}
	p, err := parsePacket(b)
	if init, ok := p.(*Init); ok && errors.Is(err, ErrVersion) {
		v.Packet = fields{"type": "INIT", "version": init.Version, "session_number": init.Session}
		return nil
	}
	if err != nil {
		return err
	}
	v.Packet = packetFields(p)
	v.Packet["type"] = PacketType(b[0]).String()
	return nil
}

func packetFields(p packet) fields {
	switch p := p.(type) {
	case *Init:
		return fields{
			"version": p.Version, "suites": p.Suites, "session_number": p.Session, "realm_tag": hex.EncodeToString(p.Tag[:]),
			"cookie": hex.EncodeToString(p.Cookie[:]), "noise_message": hex.EncodeToString(p.Noise),
		}
	case *Resume:
		return fields{
			"version": p.Version, "suites": p.Suites, "session_number": p.Session, "realm_tag": hex.EncodeToString(p.Tag[:]),
			"cookie": hex.EncodeToString(p.Cookie[:]), "ticket": hex.EncodeToString(p.Ticket[:]),
			"noise_message": hex.EncodeToString(p.Noise),
		}
	case *Resp:
		return answerFields(answer(*p))
	case *Resumed:
		return answerFields(answer(*p))
	case *Fin:
		return fields{"version": Version, "responder_session_number": p.Responder, "noise_message": hex.EncodeToString(p.Noise)}
	case *Cookie:
		return fields{"version": Version, "initiator_session_number": p.Initiator, "cookie": hex.EncodeToString(p.Cookie[:])}
	case *Versions:
		return fields{"initiator_session_number": p.Initiator, "versions": numbers(p.Versions)}
	default:
		panic("not a packet")
	}
}

func answerFields(p answer) fields {
	return fields{
		"version": Version, "initiator_session_number": p.Initiator, "responder_session_number": p.Responder,
		"noise_message": hex.EncodeToString(p.Noise),
	}
}

// numbers is bytes that JSON shows as numbers.
func numbers(b []byte) []int {
	out := make([]int, len(b))
	for i, v := range b {
		out[i] = int(v)
	}
	return out
}

func describeHello(v *vector, b []byte) error {
	h, err := ParseHello(b)
	if err != nil {
		return err
	}
	v.Hello = fields{
		"session_number": h.Session, "suites": h.Suites, "instance_id": hex.EncodeToString(h.ID[:]), "name": h.Name,
		"software_version": h.Software, "tcp_port": h.TCPPort, "max_message": h.MaxMessage,
		"max_datagram": h.MaxDatagram, "versions": numbers(h.Versions),
	}
	return nil
}

func describeFrames(v *vector, b []byte) error {
	frames, err := parseFrames(b)
	described := []fields{}
	for _, f := range frames {
		described = append(described, frameFields(f))
	}
	v.Frames = &described
	return err
}

func frameFields(frame any) fields {
	switch f := frame.(type) {
	case ping:
		return fields{"type": "PING"}
	case ack:
		ranges := make([][2]uint64, len(f.Ranges))
		for i, r := range f.Ranges {
			ranges[i] = [2]uint64{r.First, r.Last}
		}
		return fields{"type": "ACK", "delay": f.Delay / time.Microsecond, "ranges": ranges}
	case callID:
		return fields{"type": f.Type.String(), "id": f.ID}
	case path:
		return fields{"type": f.Type.String(), "data": hex.EncodeToString(f.Data[:])}
	case Call:
		return fields{
			"type": "CALL", "id": f.ID, "timeout": f.Timeout, "codec": f.Codec, "name": string(f.Name),
			"total": f.Total, "data": hex.EncodeToString(f.Data),
		}
	case More:
		return fields{
			"type": "MORE", "direction": f.Direction, "id": f.ID, "total": f.Total, "offset": f.Offset,
			"data": hex.EncodeToString(f.Data),
		}
	case Reply:
		return replyFields(f)
	case Close:
		return fields{"type": "CLOSE", "code": f.Code, "text": f.Text}
	default:
		panic("not a frame")
	}
}

func replyFields(f Reply) fields {
	described := fields{
		"type": "REPLY", "id": f.ID, "status": f.Status, "codec": f.Codec, "total": f.Total,
		"data": hex.EncodeToString(f.Data),
	}
	if f.Status != 0 && uint64(len(f.Data)) == f.Total {
		failure, _ := ParseFailure(f.Data)
		described["error_type"], described["message"] = failure.Type, failure.Message
	}
	return described
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

func packetSamples() []sample {
	all := packets()
	data := func(h Header, sealed int) []byte { return append(h.Append(nil), pattern(sealed, 0x90)...) }
	with := func(name string, at int, v ...byte) []byte {
		b := all[name].Append(nil)
		copy(b[at:], v)
		return b
	}
	noise := func(t PacketType, length int) []byte {
		return append([]byte{byte(t), Version, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, pattern(length-12, 7)...)
	}
	other := append([]byte{4, 2, 0xff, 0xff, 1, 2, 3, 4}, bytes.Repeat([]byte{0xee}, MinInit)...)
	return []sample{
		{"INIT", with("INIT", 0), false},
		{"INIT, open realm, no cookie", with("INIT", 8, make([]byte, 24)...), false},
		{"INIT of 400 bytes", append(with("INIT", 0), make([]byte, 16)...), false},
		{"INIT, reserved byte set", with("INIT", 3, 0xff), false},
		{"INIT, padding of other bytes than zeros", append(with("INIT", 0)[:80], pattern(MinInit-80, 9)...), false},
		{"INIT of 1232 bytes", append(with("INIT", 0), make([]byte, MaxDatagram-MinInit)...), false},
		{"INIT of 1233 bytes", append(with("INIT", 0), make([]byte, MaxDatagram+1-MinInit)...), true},
		{"INIT without a session number", with("INIT", 4, 0, 0, 0, 0), true},
		{"INIT of version 2", other, false},
		{"INIT of version 2, 1233 bytes", append(bytes.Clone(other), make([]byte, MaxDatagram+1-len(other))...), false},
		{"INIT of version 2 without a session number", append([]byte{4, 2, 0, 0, 0, 0, 0, 0}, other[8:]...), true},
		{"INIT of version 2, 384 bytes", other[:MinInit], false},
		{"INIT of version 2, too short", other[:MinInit-1], true},
		{"INIT too short", with("INIT", 0)[:MinInit-1], true},
		{"RESP", with("RESP", 0), false},
		{"RESP, reserved bytes set", with("RESP", 2, 0xff, 0xff), false},
		{"RESP with the shortest HELLO", with("shortest RESP", 0), false},
		{"RESP with the longest HELLO", with("longest RESP", 0), false},
		{"RESP of 140 bytes", noise(PacketResp, 140), true},
		{"RESP of 365 bytes", noise(PacketResp, 365), true},
		{"RESP without a session number of its sender", with("RESP", 8, 0, 0, 0, 0), true},
		{"RESP of version 2", with("RESP", 1, 2), true},
		{"RESP cut", with("RESP", 0)[:11], true},
		{"FIN", with("FIN", 0), false},
		{"FIN, reserved bytes set", with("FIN", 2, 0xff, 0xff), false},
		{"FIN with the shortest HELLO", with("shortest FIN", 0), false},
		{"FIN with the longest HELLO", with("longest FIN", 0), false},
		{"FIN of 104 bytes", noise(PacketFin, 104), true},
		{"FIN of 329 bytes", noise(PacketFin, 329), true},
		{"FIN of version 2", with("FIN", 1, 2), true},
		{"COOKIE", with("COOKIE", 0), false},
		{"COOKIE, reserved bytes set", with("COOKIE", 2, 0xff, 0xff), false},
		{"COOKIE of version 2", with("COOKIE", 1, 2), true},
		{"COOKIE too short", with("COOKIE", 0)[:23], true},
		{"COOKIE too long", append(with("COOKIE", 0), 0), true},
		{"DATA", data(Header{0, 0x01020304, 5}, 60), false},
		{"DATA, key phase 1, the last number", data(Header{1, 0xffffffff, MaxVarint}, 17), false},
		{"DATA, number 2^62", data(Header{0, 1, MaxVarint + 1}, 17), true},
		{"DATA, number 2^64-1", data(Header{0, 1, 1<<64 - 1}, 17), true},
		{"DATA, reserved bits set", append([]byte{8, 0xfe, 0xff, 0xff, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 1, 0}, pattern(17, 1)...), false},
		{"DATA too short", data(Header{0, 1, 5}, 16), true},
		{"DATA cut in its header", data(Header{0, 1, 5}, 0)[:15], true},
		{"VERSIONS", with("VERSIONS", 0), false},
		{"VERSIONS of 32", with("longest VERSIONS", 0), false},
		{"VERSIONS of 1, reserved bytes set", []byte{9, 1, 0xff, 0xff, 1, 2, 3, 4, 2}, false},
		{"VERSIONS of none", []byte{9, 0, 0, 0, 1, 2, 3, 4}, true},
		{"VERSIONS of 33", append([]byte{9, 33, 0, 0, 1, 2, 3, 4}, pattern(33, 1)...), true},
		{"VERSIONS with a byte behind", append(with("VERSIONS", 0), 1), true},
		{"VERSIONS cut", with("VERSIONS", 0)[:10], true},
		{"RESUME", with("RESUME", 0), false},
		{"RESUME, reserved byte set", with("RESUME", 3, 0xff), false},
		{"RESUME of 402 bytes, without a cookie", with("longest RESUME", 0), false},
		{"RESUME with the shortest HELLO", append(with("RESUME", 48, 0, 129)[:50+129], make([]byte, MinInit-50-129)...), false},
		{"RESUME, Noise message of 128 bytes", with("RESUME", 48, 0, 128), true},
		{"RESUME, Noise message of 353 bytes", append(with("longest RESUME", 48, 1, 97), 1), true},
		{"RESUME, padding of other bytes than zeros", append(with("RESUME", 0)[:50+96+77], pattern(MinInit-50-96-77, 9)...), false},
		{"RESUME of 1233 bytes", append(with("RESUME", 0), make([]byte, MaxDatagram+1-MinInit)...), true},
		{"RESUME without a session number", with("RESUME", 4, 0, 0, 0, 0), true},
		{"RESUME of version 2", with("RESUME", 1, 2), true},
		{"RESUME too short", with("RESUME", 0)[:MinInit-1], true},
		{"RESUME, Noise message beyond the packet", with("RESUME", 48, 1, 0x4f), true},
		{"RESUMED", with("RESUMED", 0), false},
		{"RESUMED, reserved bytes set", with("RESUMED", 2, 0xff, 0xff), false},
		{"RESUMED of 92 bytes", noise(PacketResumed, 92), true},
		{"RESUMED with the shortest HELLO", noise(PacketResumed, 93), false},
		{"RESUMED with the longest HELLO", noise(PacketResumed, 316), false},
		{"RESUMED of 317 bytes", noise(PacketResumed, 317), true},
		{"RESUMED without a session number of its sender", with("RESUMED", 8, 0, 0, 0, 0), true},
		{"RESUMED of version 2", with("RESUMED", 1, 2), true},
		{"RESUMED cut", with("RESUMED", 0)[:11], true},
		{"type 0x0c", append([]byte{0x0c, 1}, make([]byte, 398)...), true},
		{"type 0x0f", append([]byte{0x0f, 1}, make([]byte, 398)...), true},
		{"first byte 0x03", append([]byte{0x03, 1}, make([]byte, 398)...), true},
		{"first byte 0x10", append([]byte{0x10, 1}, make([]byte, 398)...), true},
		{"JSON", []byte(`{"id": 1}`), true},
		{"nothing", []byte{}, true},
	}
}

func helloSamples() []sample {
	shortest, usual, longest := shortestHello(), testHello(), longestHello()
	all := []sample{
		{"shortest", shortest.Append(nil), false},
		{"usual", usual.Append(nil), false},
		{"longest without unknown items", longest.Append(nil), false},
		{"items in another order", append([]byte{10, 1, 1, 4, 1, 'a'}, helloWith(itemName, nil)[:27]...), false},
		{"items of unknown types", helloWith(0, nil, 0, 1, 9, 8, 0, 11, 2, 1, 2, 63, 0, 0x40, 64, 1, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0), false},
		{"types and lengths in longer forms", helloWith(0, nil, 0x40, 6, 0x80, 0, 0, 2, 1, 2), false},
		{"max message in 1 byte", helloWith(0, nil, 7, 1, 9), false},
		{"max message in 2 bytes, as long as need not be", helloWith(0, nil, 7, 2, 0x40, 9), false},
		{"max message in 4 bytes", helloWith(0, nil, 7, 4, 0x80, 1, 0, 0), false},
		{"max message of 0", helloWith(0, nil, 7, 1, 0), false},
		{"datagram of 1231 bytes", helloWith(0, nil, 9, 2, 0x04, 0xcf), false},
		{"datagram of 0 bytes", helloWith(0, nil, 9, 2, 0, 0), false},
		{"datagram of 65535 bytes", helloWith(0, nil, 9, 2, 0xff, 0xff), false},
		{"TCP port of 0", helloWith(0, nil, 6, 2, 0, 0), false},
		{"no suites", helloWith(itemSuites, []byte{2, 1, 0}), false},
		{"both suites", helloWith(itemSuites, []byte{2, 1, 3}), false},
		{"all bits of suites", helloWith(itemSuites, []byte{2, 1, 0xff}), false},
		{"the reserved item and an unknown one twice each", helloWith(0, nil, 8, 1, 1, 8, 0, 11, 1, 1, 11, 1, 2), false},
		{"software of 0 bytes", helloWith(0, nil, 5, 0), false},
		{"256 bytes", helloWith(0, nil, append([]byte{11, 0x40, 256 - minHello - 3}, make([]byte, 256-minHello-3)...)...), false},
	}
	invalid := invalidHellos()
	for _, name := range sortedKeys(invalid) {
		all = append(all, sample{name, invalid[name], true})
	}
	return all
}

func frameSamples() []sample {
	all := []sample{
		{"no frames", []byte{}, false},
		{"PADDING only", make([]byte, 5), false},
		{"PADDING before, between and behind", []byte{0, 0, 1, 0, 0, 6, 1, 9, 0}, false},
	}
	var joined []byte
	single := testFrames()
	for _, name := range sortedKeys(single) {
		b := appendFrame(nil, single[name])
		all = append(all, sample{name, b, false})
		if len(b) < 50 {
			joined = append(joined, b...)
		}
	}
	all = append(all, sample{"many in one packet", joined, false})
	all = append(all, ackSamples()...)
	all = append(all, replySamples()...)
	all = append(all, oddFrames()...)
	return append(all, badFrames()...)
}

func ackSamples() []sample {
	most := make([]Range, MaxRanges)
	for i := range most {
		most[i] = Range{uint64(1000 - 10*i), uint64(1005 - 10*i)}
	}
	return []sample{
		{"ACK of packet 0", AppendAck(nil, []Range{{0, 0}}, 0), false},
		{"ACK of three ranges", AppendAck(nil, []Range{{90_000, 100_000}, {70, 80}, {0, 5}}, 20*time.Millisecond), false},
		{"ACK of ranges one apart", AppendAck(nil, []Range{{5, 5}, {3, 3}, {1, 1}}, 0), false},
		{"ACK of all", AppendAck(nil, []Range{{0, MaxVarint}}, time.Second), false},
		{"ACK of 32 ranges", AppendAck(nil, most, 0), false},
		{"ACK delayed by more than an hour", []byte{2, 11, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0}, false},
	}
}

func replySamples() []sample {
	failure := (&Failure{"ValueError", "keine Zahl: ü"}).Append(nil)
	none := (&Failure{}).Append(nil)
	reply := func(status, total uint64, data []byte) []byte {
		return (&Reply{ID: 7, Status: status, Total: total, Data: data}).Append(nil)
	}
	return []sample{
		{"REPLY with an error", reply(6, uint64(len(failure)), failure), false},
		{"REPLY with an error without type and message", reply(9, uint64(len(none)), none), false},
		{"REPLY with the beginning of an error", reply(6, uint64(len(failure)), failure[:7]), false},
		{"REPLY with an error that is not UTF-8", reply(6, 7, []byte("\x03V\xffEa\xffb")), false},
		{"REPLY with an error class of 257 bytes", reply(6, 261, append([]byte{0x41, 1}, strings.Repeat("c", 257)+"no"...)), false},
		{"REPLY with an error class cut within a character", reply(6, 259, append([]byte{0x41, 1}, strings.Repeat("c", 255)+"ü"...)), false},
		{"REPLY with an error class beyond the data", reply(6, 3, []byte{9, 'a', 'b'}), false},
		{"REPLY with an error of no data", reply(6, 0, nil), false},
		{"REPLY with no data", reply(0, 0, nil), false},
	}
}

// oddFrames are valid, if unusual or of a later version.
func oddFrames() []sample {
	return []sample{
		{"unknown types between others", append([]byte{1, 0, 0x0b, 2, 1, 2, 0x10, 0, 0x2f, 1, 9, 0x40, 0x80, 1, 7}, AppendID(nil, FrameCancel, 5)...), false},
		{"type of 8 bytes", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 0}, false},
		{"types and lengths in longer forms", []byte{0x40, 1, 0, 0x80, 0, 0, 1, 0x40, 0, 1, 0xc0, 0, 0, 0, 0, 0, 0, 0, 7, 0x40, 2, 0x40, 5}, false},
		{"PING with bytes behind", []byte{1, 3, 7, 8, 9, 1, 0}, false},
		{"WORKING with bytes behind", []byte{6, 3, 5, 8, 9, 1, 0}, false},
		{"CANCEL with bytes behind", []byte{7, 3, 5, 8, 9, 1, 0}, false},
		{"PATH_CHALLENGE with bytes behind", append(append([]byte{8, 10}, pattern(10, 1)...), 1, 0), false},
		{"PATH_RESPONSE with bytes behind", append(append([]byte{9, 9}, pattern(9, 1)...), 1, 0), false},
		{"ACK with bytes behind", []byte{2, 6, 5, 0, 0, 1, 0xff, 0xff, 1, 0}, false},
		{"CALL in the shortest form", []byte{3, 8, 1, 0, 1, 1, 'f', 2, '[', ']'}, false},
		{"CALL with varints in longer forms", []byte{3, 14, 0x40, 1, 0x40, 0, 1, 0x40, 1, 'f', 0x80, 0, 0, 2, '[', ']'}, false},
		{"CALL with the beginning of its data", []byte{3, 8, 1, 0, 1, 1, 'f', 9, '[', ']'}, false},
		{"MORE with no data", []byte{4, 4, 1, 7, 9, 9}, false},
		{"CLOSE without text", []byte{10, 1, 2}, false},
		{"CLOSE with a text that is not UTF-8", []byte{10, 4, 2, 'a', 0xff, 'b'}, false},
		{"CLOSE with a text of 300 bytes", append([]byte{10, 0x41, 45, 2}, strings.Repeat("t", 300)...), false},
		{"CLOSE with a text cut within a character", append([]byte{10, 0x41, 3, 2}, strings.Repeat("t", 254)+"世x"...), false},
	}
}

func badFrames() []sample {
	before := AppendID(nil, FrameWorking, 3)
	tooMany := append([]byte{2, 0x40, 2*MaxRanges + 5, 0x43, 0xe8, 0, MaxRanges, 0}, make([]byte, 2*MaxRanges)...)
	long := append(append([]byte{3, 0x41, 6, 1, 0, 0, 0x41, 0}, strings.Repeat("n", 256)...), 0)
	bad := []sample{
		{"no length", []byte{1}, true},
		{"half a type", []byte{0x40}, true},
		{"half a length", []byte{1, 0x40}, true},
		{"length beyond the packet", []byte{1, 1}, true},
		{"unknown type, length beyond the packet", []byte{0x21, 4, 1, 2, 3}, true},
		{"length of 2^62-1", []byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true},
		{"type 0 in two bytes", []byte{0x40, 0}, true},
		{"type 0 in two bytes, with a length", []byte{0x40, 0, 1, 9}, true},
		{"ACK, empty", []byte{2, 0}, true},
		{"ACK without first range", []byte{2, 3, 5, 0, 0}, true},
		{"ACK, first range below 0", []byte{2, 4, 5, 0, 0, 6}, true},
		{"ACK, gap below 0", []byte{2, 6, 5, 0, 1, 0, 4, 0}, true},
		{"ACK, range below 0", []byte{2, 6, 9, 0, 1, 1, 5, 2}, true},
		{"ACK, ranges missing", []byte{2, 6, 9, 0, 2, 0, 0, 0}, true},
		{"ACK of 33 ranges", tooMany, true},
		{"CALL, empty", []byte{3, 0}, true},
		{"CALL of id 0", []byte{3, 8, 0, 0, 1, 1, 'f', 2, '[', ']'}, true},
		{"CALL without codec", []byte{3, 2, 1, 0}, true},
		{"CALL, name beyond the frame", []byte{3, 6, 1, 0, 1, 9, 'f', 0}, true},
		{"CALL without total", []byte{3, 5, 1, 0, 1, 1, 'f'}, true},
		{"CALL with more data than total", []byte{3, 8, 1, 0, 1, 1, 'f', 1, '[', ']'}, true},
		{"CALL with a name of 256 bytes", long, true},
		{"CALL with a name that is no UTF-8", []byte{3, 6, 1, 0, 0, 1, 0xff, 0}, true},
		{"MORE, empty", []byte{4, 0}, true},
		{"MORE of id 0", []byte{4, 5, 0, 0, 9, 0, 1}, true},
		{"MORE without offset", []byte{4, 3, 0, 7, 9}, true},
		{"MORE of direction 2", []byte{4, 5, 2, 7, 9, 0, 1}, true},
		{"MORE beyond total", []byte{4, 6, 0, 7, 9, 8, 1, 2}, true},
		{"MORE, offset beyond total", []byte{4, 4, 0, 7, 9, 10}, true},
		{"REPLY, empty", []byte{5, 0}, true},
		{"REPLY of id 0", []byte{5, 4, 0, 0, 0, 0}, true},
		{"REPLY without total", []byte{5, 3, 1, 0, 0}, true},
		{"REPLY with more data than total", []byte{5, 5, 1, 0, 1, 0, 9}, true},
		{"WORKING, empty", []byte{6, 0}, true},
		{"WORKING of id 0", []byte{6, 1, 0}, true},
		{"CANCEL of id 0", []byte{7, 1, 0}, true},
		{"CANCEL, half an id", []byte{7, 1, 0x40}, true},
		{"PATH_CHALLENGE of 7 bytes", append([]byte{8, 7}, pattern(7, 1)...), true},
		{"PATH_RESPONSE, empty", []byte{9, 0}, true},
		{"CLOSE, empty", []byte{10, 0}, true},
	}
	for i := range bad { // what is ahead still counts, what is behind does not
		bad[i].b = append(bytes.Clone(before), bad[i].b...)
	}
	return append(bad, sample{"a good frame behind a bad one", []byte{7, 1, 0x40, 1, 0}, true})
}
