package peerlink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

type point struct {
	X int    `json:"x"`
	Y int    `json:"y"`
	L string `json:"label"`
}

func TestHandleTakesAnyPlainFunc(t *testing.T) {
	_, b, toB := pair(t)
	for name, fn := range map[string]any{
		"none":     func() {},
		"error":    func() error { return nil },
		"result":   func() string { return "r" },
		"both":     func(v float64) (float64, error) { return v / 2, nil },
		"context":  func(ctx context.Context, s string) string { return s + "!" },
		"variadic": func(first string, rest ...int) string { return fmt.Sprint(first, rest) },
		"struct":   func(p point) point { p.X++; return p },
		"pointer":  func(p *point) string { return fmt.Sprint(p == nil) },
		"keywords": func(a int, kw Kwargs) string { return fmt.Sprint(a, kw) },
		"slice":    func(s []string, m map[string]int) int { return len(s) + m["k"] },
	} {
		handle(t, b, name, fn)
	}
	for _, tt := range []struct {
		fn   string
		args []any
		want string
	}{
		{"none", nil, "<nil>"},
		{"error", nil, "<nil>"},
		{"result", nil, "r"},
		{"both", []any{3}, "1.5"},
		{"context", []any{"hi"}, "hi!"},
		{"variadic", []any{"a"}, "a[]"},
		{"variadic", []any{"a", 1, 2}, "a[1 2]"},
		{"struct", []any{point{X: 1, Y: 2, L: "p"}}, "map[label:p x:2 y:2]"},
		{"struct", []any{Kwargs{"x": 4, "y": 5}}, "map[label: x:5 y:5]"},
		{"pointer", []any{nil}, "true"},
		{"keywords", []any{1, Kwargs{"k": "v"}}, "1 map[k:v]"},
		{"keywords", []any{1}, "1 map[]"},
		{"slice", []any{[]string{"a", "b"}, map[string]int{"k": 40}}, "42"},
	} {
		var got any
		if err := toB.Call(t.Context(), &got, tt.fn, tt.args...); err != nil || fmt.Sprint(got) != tt.want {
			t.Errorf("%s%v = %v, %v; want %s", tt.fn, tt.args, got, err, tt.want)
		}
	}
}

func TestUnknownKeywordsAreTypeErrors(t *testing.T) {
	_, b, toB := pair(t)
	handle(t, b, "struct", func(p point) point { return p })
	err := toB.Call(t.Context(), nil, "struct", Kwargs{"x": 1, "zzz": 7})
	if CodeOf(err) != CodeRemote || !strings.Contains(err.Error(), "TypeError: struct() ") {
		t.Errorf("%v", err)
	}
}

func TestHandleRefusesOtherShapes(t *testing.T) {
	n := alone(t, "A")
	var none func()
	for name, fn := range map[string]any{
		"nil":           nil,
		"no func":       42,
		"nil func":      none,
		"two results":   func() (int, int) { return 0, 0 },
		"three results": func() (int, int, error) { return 0, 0, nil },
	} {
		if err := n.Handle(name, fn); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := n.Handle("", func() {}); !errors.Is(err, ErrInvalid) {
		t.Errorf("no name: %v", err)
	}
}

func TestUnhandle(t *testing.T) {
	_, b, toB := pair(t)
	handle(t, b, "f", func() int { return 1 })
	if _, err := Call[int](t.Context(), toB, "f"); err != nil {
		t.Fatal(err)
	}
	b.Unhandle("f")
	if _, err := Call[int](t.Context(), toB, "f"); !errors.Is(err, ErrNoHandler) {
		t.Errorf("%v", err)
	}
}

func TestPingCanBeOverwritten(t *testing.T) {
	_, b, toB := pair(t)
	handle(t, b, "__ping__", func() string { return "mine" })
	if s, err := Call[string](t.Context(), toB, "__ping__"); err != nil || s != "mine" {
		t.Errorf("%q, %v", s, err)
	}
}

func TestCallAllDoesNotWaitForTheSlow(t *testing.T) {
	a := alone(t, "A")
	release := make(chan struct{})
	for i := range 5 {
		b := alone(t, fmt.Sprintf("B%d", i))
		handle(t, b, "f", func() int {
			if i == 0 {
				<-release
			}
			return i
		})
		introduce(t, a, b)
	}
	var order []int
	for p, r := range CallAll[int](soon(t), a, "f") {
		if r.Err != nil {
			t.Errorf("%s: %v", p.Name(), r.Err)
		}
		if order = append(order, r.Value); len(order) == 4 {
			close(release)
		}
	}
	if len(order) != 5 || order[4] != 0 {
		t.Errorf("order %v, want the slow one last", order)
	}
}

func TestCallAllEndsEarly(t *testing.T) {
	a, b, _ := pair(t)
	c := alone(t, "C")
	introduce(t, a, c)
	handle(t, b, "f", func() {})
	handle(t, c, "f", func(ctx context.Context) { <-ctx.Done() })
	started := time.Now()
	for range CallAll[any](t.Context(), a, "f") {
		break
	}
	if time.Since(started) > DefaultTimeout {
		t.Error("waited for the peer nobody asked about any more")
	}
	for p, r := range CallAll[int](t.Context(), a, "f", make(chan int)) {
		if !errors.Is(r.Err, ErrInvalid) {
			t.Errorf("%s: %v", p.Name(), r.Err)
		}
	}
}

func TestPayloadConvert(t *testing.T) {
	for _, text := range []string{
		`[25, 17]`, `[25, 17]{"scale": 2.0}`, `[]`, `null`, `[NaN, Infinity, -Infinity]`,
		`1180591620717411303424`, `"h\u00e9llo \ud83d\ude00"`, `["\ud800", 1, 1.0]`,
	} {
		cbor, err := Payload{JSON, []byte(text)}.Convert(CBOR)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if back, err := cbor.Convert(JSON); err != nil || string(back.Bytes) != text {
			t.Errorf("%s became %s, %v", text, back.Bytes, err)
		}
	}
	for _, bad := range []Payload{{JSON, []byte("[1")}, {CBOR, []byte{0x82, 1}}, {0, []byte("1")}, {CBOR, []byte{0x41, 1}}} {
		if _, err := bad.Convert(3 - bad.Codec); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestCallRawChecksArgumentsForJSON(t *testing.T) {
	_, _, toB := pair(t)
	toB.dialect.Store(dialectJSON)
	for _, bad := range []string{`{}`, `1`, `[1]{"a":1}2`, `[1] [2]`, `[`, `{"a":1}`} {
		if _, err := toB.CallRaw(t.Context(), "f", Payload{JSON, []byte(bad)}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestEventQueueMerges(t *testing.T) {
	p, old, fresh := &Peer{key: 1}, &Peer{key: 2}, &Peer{key: 3}
	for _, tt := range []struct {
		name string
		read bool // the reader has seen that both peers are up
		in   []Event
		want []EventKind
	}{
		{"came and went unseen", false, []Event{{Kind: PeerUp, Peer: p}, {Kind: PeerDown, Peer: p}}, nil},
		{"went and came", true, []Event{{Kind: PeerDown, Peer: p}, {Kind: PeerUp, Peer: p}}, []EventKind{PeerUp}},
		{"went, came, went", true, []Event{{Kind: PeerDown, Peer: p}, {Kind: PeerUp, Peer: p}, {Kind: PeerDown, Peer: p}}, []EventKind{PeerDown}},
		{"moved before it was seen", false, []Event{{Kind: PeerUp, Peer: p}, {Kind: PeerMoved, Peer: p}}, []EventKind{PeerUp}},
		{"replaced before it was seen", false, []Event{{Kind: PeerUp, Peer: old}, {Kind: PeerReplaced, Peer: p, Old: old}}, []EventKind{PeerUp}},
		{"replaced and moved", true, []Event{{Kind: PeerReplaced, Peer: fresh, Old: old}, {Kind: PeerMoved, Peer: fresh}}, []EventKind{PeerReplaced}},
		{"replaced and gone", true, []Event{{Kind: PeerReplaced, Peer: fresh, Old: old}, {Kind: PeerDown, Peer: fresh}}, []EventKind{PeerDown}},
		{"replaced, gone, back", true, []Event{{Kind: PeerReplaced, Peer: fresh, Old: old}, {Kind: PeerDown, Peer: fresh}, {Kind: PeerUp, Peer: fresh}},
			[]EventKind{PeerDown, PeerUp}},
		{"replaced twice", true, []Event{{Kind: PeerReplaced, Peer: fresh, Old: old}, {Kind: PeerReplaced, Peer: p, Old: fresh}}, []EventKind{PeerReplaced}},
		{"moved and replaced", true, []Event{{Kind: PeerMoved, Peer: old}, {Kind: PeerReplaced, Peer: fresh, Old: old}}, []EventKind{PeerReplaced}},
		{"replaced", true, []Event{{Kind: PeerReplaced, Peer: fresh, Old: old}}, []EventKind{PeerReplaced}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := newEventQueue()
			if tt.read {
				q.put(Event{Kind: PeerUp, Peer: p})
				q.put(Event{Kind: PeerUp, Peer: old})
				q.take()
				q.take()
			}
			for _, e := range tt.in {
				q.put(e)
			}
			var got []EventKind
			for e, ok := q.take(); ok; e, ok = q.take() {
				got = append(got, e.Kind)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// A stalled reader costs one event for each peer it knows of, whatever happens.
func TestEventQueueDoesNotGrow(t *testing.T) {
	q := newEventQueue()
	known := &Peer{}
	q.put(Event{Kind: PeerUp, Peer: known})
	q.take()
	old := known
	for range 10_000 {
		next := &Peer{}
		q.put(Event{Kind: PeerReplaced, Peer: next, Old: old})
		old = next
	}
	if e, _ := q.take(); len(q.order) != 0 || e.Kind != PeerReplaced || e.Old != known || e.Peer != old {
		t.Errorf("%d more events behind %v", len(q.order), e.Kind)
	}
}

func TestErrorTexts(t *testing.T) {
	for err, want := range map[error]string{
		&Error{Code: CodeTimeout, Op: "call add", Peer: "P", Err: context.DeadlineExceeded}: "peer P: call add: timed out",
		&Error{Code: CodeIO, Op: "bind", Err: errors.New("in use")}:                         "bind: in use",
		ErrPeerNotFound:    "peer not found",
		&Error{Code: 9999}: "unknown error",
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	for c := CodeInternal; c <= CodeNameConflict; c++ {
		if strings.HasPrefix(c.String(), "unknown") {
			t.Errorf("code %d has no text", c)
		}
	}
}
