package legacy

import (
	"errors"
	"strings"
	"testing"
)

const uuid = "58267880-d4b3-47c3-b978-2e9b9da6fdce"

var rawID = []byte(`"` + uuid + `"`)

// 1058 characters of echo("…") from Client to Server fit, as measured.
func TestRequestLimit(t *testing.T) {
	call := Call{ID: uuid, Src: "Client", Dst: "Server", Func: "echo"}
	call.Args = []byte(`["` + strings.Repeat("x", 1058) + `"]`)
	b, err := AppendRequest([]byte("head"), call)
	if err != nil || len(b) != len("head")+MaxPayload {
		t.Fatal(len(b), err)
	}
	call.Args = []byte(`["` + strings.Repeat("x", 1059) + `"]`)
	b, err = AppendRequest([]byte("head"), call)
	var large *TooLargeError
	if !errors.As(err, &large) || string(b) != "head" {
		t.Fatalf("%q, %v", b, err)
	}
	const want = "RPC request: encoded size 1201 bytes exceeds MAX_SAFE_UDP_PAYLOAD (1200) to avoid IP fragmentation"
	if err.Error() != want {
		t.Error(err)
	}
}

func TestRequestDefaults(t *testing.T) {
	b, err := AppendRequest(nil, Call{ID: "1", Src: "é", Dst: `"`, Func: "\xff"})
	const want = `{"type": "request", "id": "1", "src": "\u00e9", "dst": "\"", "rpc": "\ufffd", "args": [], "kwargs": {}}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
}

// A result of 1120 bytes fits, as measured; one more is replaced.
func TestResponseLimit(t *testing.T) {
	result := []byte(`"` + strings.Repeat("x", 1120) + `"`)
	b := AppendResponse([]byte("head"), rawID, result[:1120])
	if len(b) != len("head")+MaxPayload-2 {
		t.Errorf("%d bytes", len(b))
	}
	b = AppendResponse(nil, rawID, result)
	if len(b) != MaxPayload || b[len(b)-2] != '"' {
		t.Errorf("%d bytes", len(b))
	}
	b = AppendResponse([]byte("head"), rawID, append(result, ' '))
	m, err := Parse(b[len("head"):])
	if err != nil || m.Error == nil || m.Error.Type != "PeerLinkError" || m.Error.Message != tooLargeMessage(1201) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestResponseOtherIDs(t *testing.T) {
	for id, want := range map[string]string{
		"":       `{"type": "response", "id": null, "result": null}`,
		"[1, 2]": `{"type": "response", "id": [1, 2], "result": null}`,
	} {
		if got := AppendResponse(nil, []byte(id), nil); string(got) != want {
			t.Errorf("%q: %s", id, got)
		}
	}
	long := []byte(`"` + strings.Repeat("x", 1300) + `"`)
	if got := AppendResponse([]byte("head"), long, nil); got != nil {
		t.Errorf("%s", got)
	}
}

// Whatever the size of each part, the reply fits, is JSON and keeps whole
// characters.
func TestErrorCut(t *testing.T) {
	for _, unit := range []string{"x", "é", "\U0001f600", "\n", "\x01", "\xff", "\xed\xa0\x80"} {
		long := strings.Repeat(unit, 2000)
		for idLen := range 1300 {
			id := []byte(`"` + strings.Repeat("i", idLen) + `"`)
			checkCut(t, id, "E", long)
			if idLen%100 == 0 {
				checkCut(t, id, long, long)
			}
		}
	}
}

func checkCut(t *testing.T, id []byte, typ, message string) {
	t.Helper()
	b := AppendError(nil, id, typ, message)
	if b == nil {
		if len(id) < 1132 {
			t.Fatalf("no reply to an id of %d", len(id))
		}
		return
	}
	if len(b) > MaxPayload || len(b) < MaxPayload-12 {
		t.Fatalf("%d bytes", len(b))
	}
	m, err := Parse(b)
	if err != nil || string(m.ID) != string(id) {
		t.Fatalf("%v: %s", err, b)
	}
	if typ == "E" && len(m.Error.Message) > 0 {
		checkPrefix(t, m.Error.Message, message)
	}
}

// checkPrefix compares in JSON, where what is not UTF-8 is a replacement too.
func checkPrefix(t *testing.T, got, whole string) {
	t.Helper()
	g, w := appendQuoted(nil, got), appendQuoted(nil, whole)
	if !strings.HasPrefix(string(w), string(g[:len(g)-1])) {
		t.Fatalf("%q is not where %.40q begins", got, whole)
	}
}

func TestErrorExactFit(t *testing.T) {
	empty := AppendError(nil, rawID, "E", "")
	fits := strings.Repeat("x", MaxPayload-len(empty))
	for message, want := range map[string]string{fits: fits, fits + "x": fits} {
		m, err := Parse(AppendError(nil, rawID, "E", message))
		if err != nil || m.Error.Message != want {
			t.Errorf("%v: %d bytes of %d", err, len(m.Error.Message), len(message))
		}
	}
}
