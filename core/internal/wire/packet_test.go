package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

var (
	testTag    = [8]byte(pattern(8, 0x10))
	testCookie = [16]byte(pattern(16, 0x40))
	testTicket = [16]byte(pattern(16, 0x70))
)

type packet interface{ Append(b []byte) []byte }

// packets is one of each type, and some at the ends of what is allowed.
func packets() map[string]packet {
	return map[string]packet{
		"INIT":             &Init{Version, SuiteAESGCM | SuiteChaCha, 0x01020304, testTag, testCookie, pattern(noiseXX1, 1)},
		"RESP":             &Resp{0x01020304, 0xfffefdfc, pattern(noiseXX2+77, 2)},
		"shortest RESP":    &Resp{1, 2, pattern(noiseXX2+minHello, 2)},
		"longest RESP":     &Resp{1, 2, pattern(noiseXX2+MaxHello, 2)},
		"FIN":              &Fin{0xfffefdfc, pattern(noiseXX3+77, 3)},
		"shortest FIN":     &Fin{2, pattern(noiseXX3+minHello, 3)},
		"longest FIN":      &Fin{2, pattern(noiseXX3+MaxHello, 3)},
		"COOKIE":           &Cookie{0x01020304, testCookie},
		"VERSIONS":         &Versions{0x01020304, []uint8{1, 2, 7}},
		"longest VERSIONS": &Versions{1, pattern(MaxVersions, 1)},
		"RESUME":           &Resume{Version, SuiteChaCha, 0x01020304, testTag, testCookie, testTicket, pattern(noiseIK1+77, 4)},
		"longest RESUME":   &Resume{Version, 1, 1, testTag, [16]byte{}, testTicket, pattern(noiseIK1+MaxHello, 4)},
		"RESUMED":          &Resumed{0x01020304, 0xfffefdfc, pattern(noiseIK2+77, 5)},
	}
}

// parsePacket reads any packet but DATA.
func parsePacket(b []byte) (packet, error) {
	if len(b) == 0 {
		return nil, errPacket
	}
	switch PacketType(b[0]) {
	case PacketInit:
		p, err := ParseInit(b)
		return &p, err
	case PacketResp:
		p, err := ParseResp(b)
		return &p, err
	case PacketFin:
		p, err := ParseFin(b)
		return &p, err
	case PacketCookie:
		p, err := ParseCookie(b)
		return &p, err
	case PacketVersions:
		p, err := ParseVersions(b)
		return &p, err
	case PacketResume:
		p, err := ParseResume(b)
		return &p, err
	case PacketResumed:
		p, err := ParseResumed(b)
		return &p, err
	default:
		return nil, errPacket
	}
}

// parseAll offers b to every parser, whatever its type.
func parseAll(b []byte) {
	_, _ = ParseInit(b)
	_, _ = ParseResp(b)
	_, _ = ParseFin(b)
	_, _ = ParseCookie(b)
	_, _ = ParseVersions(b)
	_, _ = ParseResume(b)
	_, _ = ParseResumed(b)
	_, _ = ParseHeader(b)
}

func TestPackets(t *testing.T) {
	for name, p := range packets() {
		b := p.Append(nil)
		if !IsNative(b) {
			t.Errorf("%s is not native", name)
		}
		got, err := parsePacket(b)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, p)
		}
		if behind := p.Append([]byte("head")); !bytes.Equal(behind, append([]byte("head"), b...)) {
			t.Errorf("%s behind something else is %x", name, behind)
		}
	}
}

func TestPacketSizes(t *testing.T) {
	all := packets()
	for name, size := range map[string]int{
		"INIT": MinInit, "RESUME": MinInit, "longest RESUME": 50 + noiseIK1 + MaxHello,
		"shortest FIN": 105, "longest FIN": 328, "longest RESP": 364, "COOKIE": 24, "longest VERSIONS": 40,
	} {
		if n := len(all[name].Append(nil)); n != size {
			t.Errorf("%s has %d bytes, want %d", name, n, size)
		}
	}
}

// A Noise message cut short is the seal's to find, unless no HELLO can be in it.
func TestPacketsCut(t *testing.T) {
	for name, p := range packets() {
		b := p.Append(nil)
		for cut := range b {
			got, err := parsePacket(b[:cut])
			if err == nil && !shortened(got, p) {
				t.Errorf("%s cut at %d: %+v", name, cut, got)
			}
		}
	}
}

func shortened(got, p packet) bool {
	switch p := p.(type) {
	case *Resp:
		return bytes.HasPrefix(p.Noise, got.(*Resp).Noise)
	case *Resumed:
		return bytes.HasPrefix(p.Noise, got.(*Resumed).Noise)
	case *Fin:
		return bytes.HasPrefix(p.Noise, got.(*Fin).Noise)
	default:
		return false
	}
}

func TestPacketsRefused(t *testing.T) {
	with := func(name string, at int, v ...byte) []byte {
		b := packets()[name].Append(nil)
		copy(b[at:], v)
		return b
	}
	for name, b := range map[string][]byte{
		"INIT without a session number":      with("INIT", 4, 0, 0, 0, 0),
		"RESUME without a session number":    with("RESUME", 4, 0, 0, 0, 0),
		"RESP without a session number":      with("RESP", 8, 0, 0, 0, 0),
		"RESUMED without a session number":   with("RESUMED", 8, 0, 0, 0, 0),
		"RESUME beyond its end":              with("RESUME", 48, 0xff, 0xff),
		"RESUME with too short a Noise":      with("RESUME", 48, 0, noiseIK1),
		"COOKIE with something behind":       append(with("COOKIE", 0), 0),
		"VERSIONS with something behind":     append(with("VERSIONS", 0), 0),
		"VERSIONS of none":                   with("VERSIONS", 1, 0),
		"VERSIONS of too many":               with("VERSIONS", 1, MaxVersions+1),
		"RESP of another version":            with("RESP", 1, 2),
		"RESP too long":                      append(with("longest RESP", 0), 0),
		"FIN too long":                       append(with("longest FIN", 0), 0),
		"INIT too long":                      append(with("INIT", 0), make([]byte, MaxDatagram+1-MinInit)...),
		"RESUME too long":                    append(with("RESUME", 0), make([]byte, MaxDatagram+1-MinInit)...),
		"reserved type":                      {0x0c},
		"a type that is none of the package": {0x03},
	} {
		if p, err := parsePacket(b); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for _, name := range []string{"INIT", "RESP", "FIN", "COOKIE", "RESUME", "RESUMED"} {
		if _, err := parsePacket(with(name, 1, 2)); !errors.Is(err, ErrVersion) {
			t.Errorf("%s of version 2: %v", name, err)
		}
	}
}

// Of an INIT of another version the first 8 bytes are read, and no more.
func TestInitOfAnotherVersion(t *testing.T) {
	b := append([]byte{byte(PacketInit), 9, 0xff, 0xff, 1, 2, 3, 4}, bytes.Repeat([]byte{0xff}, MinInit-8)...)
	p, err := ParseInit(b)
	if want := (Init{Version: 9, Session: 0x01020304}); !errors.Is(err, ErrVersion) || !reflect.DeepEqual(p, want) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := ParseInit(b[:MinInit-1]); err == nil || errors.Is(err, ErrVersion) {
		t.Errorf("a short one: %v", err)
	}
}

func TestHeader(t *testing.T) {
	for _, h := range []Header{{0, 1, 0}, {1, 0xfffefdfc, MaxVarint}} {
		b := h.Append(nil)
		if len(b) != HeaderSize {
			t.Fatalf("%d bytes", len(b))
		}
		b = append(b, pattern(1+TagSize, 9)...)
		if got, err := ParseHeader(b); err != nil || got != h {
			t.Errorf("%+v, %v, want %+v", got, err, h)
		}
		b[1] |= 0xfe // reserved bits
		b[2], b[3] = 0xff, 0xff
		if got, err := ParseHeader(b); err != nil || got != h {
			t.Errorf("%+v, %v, want %+v", got, err, h)
		}
		for cut := range b {
			if _, err := ParseHeader(b[:cut]); err == nil {
				t.Fatalf("cut at %d: no error", cut)
			}
		}
		if h, err := ParseHeader(append(Header{0, 1, MaxVarint + 1}.Append(nil), b[HeaderSize:]...)); err == nil {
			t.Errorf("a number that no ACK can name: %+v", h)
		}
	}
}

func TestIsNative(t *testing.T) {
	if IsNative(nil) {
		t.Error("nothing is native")
	}
	for first := range 256 {
		if got, want := IsNative([]byte{byte(first)}), first >= 4 && first <= 15; got != want {
			t.Errorf("%#x: %v", first, got)
		}
	}
}

func TestPacketTypeString(t *testing.T) {
	for typ, want := range map[PacketType]string{
		3: "packet type 3", 4: "INIT", 5: "RESP", 6: "FIN", 7: "COOKIE", 8: "DATA",
		9: "VERSIONS", 10: "RESUME", 11: "RESUMED", 12: "packet type 12",
	} {
		if typ.String() != want {
			t.Errorf("%d: %s, want %s", typ, typ, want)
		}
	}
}

func FuzzPackets(f *testing.F) {
	for _, p := range packets() {
		f.Add(p.Append(nil))
	}
	f.Add(append(Header{1, 2, 3}.Append(nil), pattern(17, 1)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseAll(b)
		p, err := parsePacket(b)
		if err != nil {
			return
		}
		again, err := parsePacket(p.Append(nil))
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v, %v, want %+v", again, err, p)
		}
	})
}
