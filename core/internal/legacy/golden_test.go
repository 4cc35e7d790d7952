package legacy

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden gives the datagrams of testdata/golden by name.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/golden/*.hex")
	if err != nil || len(files) < 29 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	all := make(map[string][]byte)
	for _, f := range files {
		all[strings.TrimSuffix(filepath.Base(f), ".hex")] = readHex(t, f)
	}
	return all
}

func readHex(t testing.TB, file string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(readFile(t, file))), ""))
	if err != nil {
		t.Fatal(file, err)
	}
	return b
}

func readFile(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenText(t *testing.T) {
	for name, b := range golden(t) {
		txt := readFile(t, "testdata/golden/"+name+".txt")
		if !bytes.Equal(b, bytes.TrimSuffix(txt, []byte("\n"))) {
			t.Errorf("%s: .hex and .txt differ", name)
		}
	}
}

// Whatever 1.x wrote comes back byte for byte through the reader and a writer.
func TestGoldenRewritten(t *testing.T) {
	for name, b := range golden(t) {
		if got := rewrite(t, name, b); string(got) != string(b) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, b)
		}
	}
}

func rewrite(t *testing.T, name string, b []byte) []byte {
	m, err := Parse(b)
	if err != nil {
		t.Fatal(name, err)
	}
	switch {
	case m.Kind == Request:
		return rewriteRequest(t, m, b)
	case m.Kind == Reply && m.Error != nil:
		return AppendError(nil, m.ID, m.Error.Type, m.Error.Message)
	case m.Kind == Reply:
		return AppendResponse(nil, m.ID, m.Result)
	}
	if !strings.HasPrefix(name, "ch-") {
		t.Errorf("%s: kind %d", name, m.Kind)
	}
	return mustNormalize(t, b)
}

func rewriteRequest(t *testing.T, m Message, b []byte) []byte {
	var other struct{ ID, Dst string }
	if err := json.Unmarshal(b, &other); err != nil {
		t.Fatal(err)
	}
	got, err := AppendRequest(nil, Call{
		ID: other.ID, Src: m.Src, Dst: other.Dst, Func: m.Func, Args: m.Args, Kwargs: m.Kwargs,
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func mustNormalize(t *testing.T, b []byte) []byte {
	t.Helper()
	got, err := Normalize(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestGoldenTranscoded(t *testing.T) {
	for name, b := range golden(t) {
		cbor, err := ToCBOR(nil, b)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := ToJSON(nil, cbor)
		if err != nil || string(got) != string(b) {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, b)
		}
	}
}

func TestGoldenTruncated(t *testing.T) {
	for name, b := range golden(t) {
		cbor, _ := ToCBOR(nil, b)
		for i := range b {
			if _, err := Parse(b[:i]); err == nil {
				t.Errorf("%s: %d bytes of %d parsed", name, i, len(b))
			}
			if _, err := ToCBOR(nil, b[:i]); err == nil {
				t.Errorf("%s: %d bytes of %d transcoded", name, i, len(b))
			}
		}
		for i := range cbor {
			if _, err := ToJSON(nil, cbor[:i]); err == nil {
				t.Errorf("%s: %d bytes of %d transcoded back", name, i, len(cbor))
			}
		}
	}
}

func TestPorts(t *testing.T) {
	var vectors []struct {
		Name string
		UDP  uint16 `json:"udp_port"`
		TCP  uint16 `json:"tcp_port"`
	}
	err := json.Unmarshal(readFile(t, "testdata/golden/port-vectors.json"), &vectors)
	if err != nil || len(vectors) < 15 {
		t.Fatal(len(vectors), err)
	}
	for _, v := range vectors {
		if udp, tcp := UDPPort(v.Name), TCPPort(v.Name); udp != v.UDP || tcp != v.TCP {
			t.Errorf("%q: %d/%d, want %d/%d", v.Name, udp, tcp, v.UDP, v.TCP)
		}
	}
}
