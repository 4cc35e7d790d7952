package peerlink

import (
	"bufio"
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// golden are the datagrams that real 1.x nodes sent.
func golden(t *testing.T) [][]byte {
	t.Helper()
	files, err := filepath.Glob("internal/legacy/testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden datagrams: %v", err)
	}
	var out [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// mutate changes a few bytes of b.
func mutate(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + r.IntN(4) {
		i := r.IntN(len(b))
		switch r.IntN(3) {
		case 0:
			b[i] = byte(r.Uint32())
		case 1:
			b = append(b[:i], b[min(i+r.IntN(8), len(b)):]...)
		default:
			b = append(b[:i], append(bytes.Repeat(b[i:i+1], r.IntN(50)), b[i:]...)...)
		}
		if len(b) == 0 {
			b = []byte{'{'}
		}
	}
	return b
}

// The first six end the receive thread of a 1.1.1 node for good.
func TestNodeSurvivesAnyDatagram(t *testing.T) {
	_, b, toB := pair(t)
	handle(t, b, "add", func(x, y int) int { return x + y })
	conn, err := net.Dial("udp", addr(b).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	bad := [][]byte{
		[]byte("1"), []byte("[]"), []byte("null"), []byte(`"x"`),
		bytes.Repeat([]byte("["), 60_000),
		[]byte(`{"type":"channel_data","channel_id":{}}`),
		bytes.Repeat([]byte(`{"a":`), 10_000),
		{}, {0}, {0x04}, []byte("{"), []byte("{}"), []byte("\xef\xbb\xbf{}"),
		[]byte(`{"rpc":null}`), []byte(`{"type":"request","rpc":["x"],"args":7,"kwargs":null,"id":{}}`),
		[]byte(`{"type":"request","id":"` + strings.Repeat("i", 50_000) + `","rpc":"add"}`),
		[]byte(`{"result":1,"id":[[[[]]]]}`),
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		random := make([]byte, r.IntN(1500))
		for i := range random {
			random[i] = byte(r.Uint32())
		}
		bad = append(bad, random)
	}
	seeds := golden(t)
	for range 2000 {
		bad = append(bad, mutate(r, seeds[r.IntN(len(seeds))]))
	}
	for i, d := range bad {
		if _, err := conn.Write(d); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 { // not faster than the socket's buffer
			if sum, err := Call[int](soon(t), toB, "add", 25, 17); err != nil || sum != 42 {
				t.Fatalf("after datagram %d, %.60q: %d, %v", i, d, sum, err)
			}
		}
	}
	if sum, err := Call[int](soon(t), toB, "add", 25, 17); err != nil || sum != 42 {
		t.Fatalf("at the end: %d, %v", sum, err)
	}
}

// What a stranger gets back is never much more than what it sent, and nothing for
// nonsense.
func TestNonsenseGetsNoAnswer(t *testing.T) {
	b := alone(t, "B")
	conn, err := net.Dial("udp", addr(b).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, d := range []string{"1", "[]", `{}`, `{"type":"response","id":"x","result":1}`, `{"type":"channel_open","channel_id":"c","name":"n"}`} {
		if _, err := conn.Write([]byte(d)); err != nil {
			t.Fatal(err)
		}
	}
	// Datagrams of one socket stay in order on loopback: the first answer is this one's.
	if _, err := conn.Write([]byte(`{"rpc": "nope", "id": 7}`)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2000)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	k, err := conn.Read(buf)
	if want := `{"type": "error", "id": 7, "error": {"type": "RemoteError", "message": "No function 'nope' registered"}}`; err != nil || string(buf[:k]) != want {
		t.Errorf("got %q, %v", buf[:k], err)
	}
}

func TestBadArgumentsAreTypeErrors(t *testing.T) {
	b := alone(t, "B")
	handle(t, b, "f", func(v ...any) int { return len(v) })
	conn, err := net.Dial("udp", addr(b).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, tt := range []struct{ request, want string }{
		{`{"rpc":"f","id":1,"args":5}`, `"type": "TypeError"`},
		{`{"rpc":"f","id":1,"kwargs":null}`, `"type": "TypeError"`},
		{`{"rpc":"f","id":1,"args":"abc"}`, `"result": 3`}, // Python spreads a string
		{`{"rpc":"f","id":1,"args":{"a":1,"b":2}}`, `"result": 2`},
		{`{"rpc":"f","id":1}`, `"result": 0`},
		{`{"rpc":"nope","id":1,"args":5}`, `"type": "RemoteError"`},
	} {
		if _, err := conn.Write([]byte(tt.request)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 2000)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if k, err := conn.Read(buf); err != nil || !strings.Contains(string(buf[:k]), tt.want) {
			t.Errorf("%s: %q, %v", tt.request, buf[:k], err)
		}
	}
}

func TestFullGateAnswersOverloaded(t *testing.T) {
	b := start(t, Config{Name: "B", Discovery: []Discovery{}, Limits: Limits{CallsPerPeer: 2}})
	a := alone(t, "A")
	toB := introduce(t, a, b)
	inside, release := make(chan struct{}), make(chan struct{})
	handle(t, b, "slow", func() { inside <- struct{}{}; <-release })
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- toB.Call(soon(t), nil, "slow") }()
		<-inside
	}
	err := toB.Call(soon(t), nil, "slow")
	if !errors.Is(err, ErrOverloaded) || !strings.Contains(err.Error(), "Overloaded") {
		t.Errorf("a third call: %v", err)
	}
	if err := toB.Ping(soon(t)); err != nil {
		t.Errorf("ping beside slow handlers: %v", err)
	}
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestTCPSaysThatNothingIsServed(t *testing.T) {
	b := alone(t, "B")
	for _, tt := range []struct{ send, want string }{
		{`{"type": "stream_open", "name": "video", "src": "A"}` + "\n", `{"type": "stream_error", "error": "No stream handler for 'video'"}` + "\n"},
		{"GET /files/a.txt HTTP/1.1\r\nHost: B\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"},
		{"PUT /files/a.txt HTTP/1.1\r\nHost: B\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"},
		{"hello\n", ""},
		{strings.Repeat("x", 10_000), ""},
	} {
		conn, err := net.Dial("tcp", netAddr(b.TCPPort()))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(tt.send)) // a refused one may be closed before all is written
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if got, _ := bufio.NewReader(conn).ReadString('\n'); got != tt.want {
			t.Errorf("%.20q: %q", tt.send, got)
		}
		conn.Close()
	}
}

func TestCloseDoesNotWaitForSilentConnections(t *testing.T) {
	b := alone(t, "B")
	conn, err := net.Dial("tcp", netAddr(b.TCPPort()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("{")); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the connection is still open: %v", err)
	}
}
