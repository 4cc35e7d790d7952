package legacy

import (
	"errors"
	"strings"
	"testing"
)

// What drops a datagram in 1.1.1, and what kills its receive thread.
func TestParseRefuses(t *testing.T) {
	deep := func(open string, n int) string { return strings.Repeat(open, n) }
	for name, in := range map[string]string{
		"nothing":       "",
		"blank":         "  ",
		"number":        "1",
		"array":         "[]",
		"null":          "null",
		"string":        `"x"`,
		"NaN":           "NaN",
		"open arrays":   deep("[", 60_000),
		"open objects":  deep(`{"a":`, 12_000),
		"513 objects":   deep(`{"a":`, 512) + "{}" + deep("}", 512),
		"array inside":  `{"a":` + deep("[", 512) + deep("]", 512) + "}",
		"BOM":           "\ufeff{}",
		"not UTF-8":     "{\"a\":\"\xff\"}",
		"raw surrogate": "{\"a\":\"\xed\xa0\x80\"}",
		"not JSON":      "hello",
		"garbage":       `{}x`,
		"two objects":   `{}{}`,
		"open":          `{"a":1`,
		"comma":         `{"a":1,}`,
		"no colon":      `{"a" 1}`,
		"no value":      `{"a":}`,
		"number key":    `{1:2}`,
		"single quotes": `{'a':1}`,
		"long integer":  `{"a":` + deep("9", 4301) + "}",
		"bad escape":    `{"\x":1}`,
		"native packet": "\x04\x01\x02",
	} {
		if m, err := Parse([]byte(in)); err == nil {
			t.Errorf("%s: parsed as %+v", name, m)
		}
	}
}

func TestParseErrors(t *testing.T) {
	var bad *SyntaxError
	if _, err := Parse([]byte(`{"a":01}`)); !errors.As(err, &bad) || bad.Offset != 6 {
		t.Error(err)
	}
	if _, err := Parse([]byte("[]")); !errors.Is(err, ErrNotObject) {
		t.Error(err)
	}
	if _, err := Parse([]byte("\xc0{}")); !errors.Is(err, ErrNotUTF8) {
		t.Error(err)
	}
}

func TestParseKind(t *testing.T) {
	for in, want := range map[string]Kind{
		`{}`:                                      Other,
		`{"type":"request"}`:                      Request,
		`{"type":"request","result":1}`:           Request,
		`{"\u0074ype":"reques\u0074"}`:            Request,
		`{"rpc":"f"}`:                             Request,
		`{"rpc":null}`:                            Request,
		`{"type":null,"rpc":"f"}`:                 Request,
		`{"type":"x","rpc":"f"}`:                  Other,
		`{"type":1,"rpc":"f"}`:                    Other,
		`{"type":{},"rpc":"f"}`:                   Other,
		`{"type":"request","type":"x"}`:           Other,
		`{"type":"x","type":"request"}`:           Request,
		`{"type":"response"}`:                     Reply,
		`{"type":"error"}`:                        Reply,
		`{"result":null}`:                         Reply,
		`{"error":null}`:                          Reply,
		`{"type":"x","error":{}}`:                 Reply,
		`{"type":[1],"result":0}`:                 Reply,
		`{"type":"Request"}`:                      Other,
		`{"Rpc":"f"}`:                             Other,
		`{"type":"channel_data","result":1}`:      Other,
		`{"type":"channel_ack"}`:                  Other,
		" \t\r\n{ \"rpc\" : \"f\" } \n":           Request,
		`{"type":"channel_data","seq":1e999}`:     Other,
		`{"type":"channel_x","error":"boo"}`:      Reply,
		`{"type":"reques\ud800"}`:                 Other,
		`{"type":"channel_data","payload":[]}`:    Other,
		`{"type":"channel_data","channel_id":{}}`: Other,
		`{"a":` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + `}`:     Other,
		`{"rpc":"f","a":` + strings.Repeat("9", 4300) + `,"b":-0.0,"c":"\/"}  `: Request,
	} {
		m, err := Parse([]byte(in))
		if err != nil || m.Kind != want {
			t.Errorf("%.60s: kind %d, want %d, %v", in, m.Kind, want, err)
		}
	}
}

func TestParseRequest(t *testing.T) {
	for in, want := range map[string]Message{
		`{"rpc":"f"}`:                                       {Func: "f", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"type":"request"}`:                                {Func: "", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":"f","src":null}`:                            {Func: "f", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":"f","src":""}`:                              {Func: "f", HasSrc: true, Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":"\u0066\ud83d\ude00","src":"\ud800"}`:       {Func: "f\U0001f600", HasSrc: true, Src: "\xed\xa0\x80", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":1,"src":1e2}`:                               {Func: "1", HasSrc: true, Src: "100.0", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":null,"src":true}`:                           {Func: "None", HasSrc: true, Src: "True", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":[1,"é"],"src":-Infinity}`:                   {Func: `[1, "\u00e9"]`, HasSrc: true, Src: "-inf", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":NaN,"src":1e400}`:                           {Func: "nan", HasSrc: true, Src: "inf", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":"f","id":null}`:                             {ID: []byte("null"), Func: "f", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":"f","id":{"a" :1}}`:                         {ID: []byte(`{"a" :1}`), Func: "f", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":"f","args":[ 1,2.0 ],"kwargs":{"k":1}}`:     {Func: "f", Args: []byte("[ 1,2.0 ]"), Kwargs: []byte(`{"k":1}`)},
		`{"rpc":"f","args":""}`:                             {Func: "f", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":"f","args":"a\"é😀\ud83d\ude00\ud83d"}`:      {Func: "f", Args: []byte(`["a", "\"", "\u00e9", "\ud83d\ude00", "\ud83d\ude00", "\ud83d"]`), Kwargs: []byte("{}")},
		`{"rpc":"f","args":{"b":1,"a":{"x":2},"\u0062":3}}`: {Func: "f", Args: []byte(`["b", "a"]`), Kwargs: []byte("{}")},
		`{"rpc":"f","args":{}}`:                             {Func: "f", Args: []byte("[]"), Kwargs: []byte("{}")},
		`{"rpc":"f","args":5}`:                              {Func: "f", BadArgs: "f() argument after * must be an iterable, not int"},
		`{"rpc":"f","args":null}`:                           {Func: "f", BadArgs: "f() argument after * must be an iterable, not NoneType"},
		`{"rpc":"f","args":false}`:                          {Func: "f", BadArgs: "f() argument after * must be an iterable, not bool"},
		`{"rpc":"f","args":-Infinity}`:                      {Func: "f", BadArgs: "f() argument after * must be an iterable, not float"},
		`{"rpc":"f","kwargs":null}`:                         {Func: "f", BadArgs: "f() argument after ** must be a mapping, not NoneType"},
		`{"rpc":"f","kwargs":[]}`:                           {Func: "f", BadArgs: "f() argument after ** must be a mapping, not list"},
		`{"rpc":"f","kwargs":"{}"}`:                         {Func: "f", BadArgs: "f() argument after ** must be a mapping, not str"},
		`{"rpc":"f","args":1.0,"kwargs":1}`:                 {Func: "f", BadArgs: "f() argument after ** must be a mapping, not int"},
	} {
		want.Kind = Request
		check(t, in, want)
	}
}

func TestParseReply(t *testing.T) {
	for in, want := range map[string]Message{
		`{"type":"response","id":"x"}`:                            {ID: []byte(`"x"`), Result: []byte("null")},
		`{"result":[1]}`:                                          {Result: []byte("[1]")},
		`{"type":"error"}`:                                        {Error: &RemoteError{Message: "None"}},
		`{"error":null,"result":1}`:                               {Result: []byte("1"), Error: &RemoteError{Message: "None"}},
		`{"error":"boo\u00e9"}`:                                   {Error: &RemoteError{Message: "booé"}},
		`{"error":[1]}`:                                           {Error: &RemoteError{Message: "[1]"}},
		`{"error":{}}`:                                            {Error: &RemoteError{Type: "None", Message: "None"}},
		`{"error":{"type":"E","message":1.0}}`:                    {Error: &RemoteError{Type: "E", Message: "1.0"}},
		`{"error":{"type":"E","type":"F"}}`:                       {Error: &RemoteError{Type: "F", Message: "None"}},
		`{"type":"response","error":{"type":1}}`:                  {Error: &RemoteError{Type: "1", Message: "None"}},
		`{"type":"error","error":{"\u0074ype":"E","message":""}}`: {Error: &RemoteError{Type: "E"}},
	} {
		want.Kind = Reply
		if want.Result == nil {
			want.Result = []byte("null")
		}
		check(t, in, want)
	}
}

func check(t *testing.T, in string, want Message) {
	t.Helper()
	got, err := Parse([]byte(in))
	if err != nil {
		t.Errorf("%s: %v", in, err)
		return
	}
	if (got.Error == nil) != (want.Error == nil) || got.Error != nil && *got.Error != *want.Error {
		t.Errorf("%s: error %+v, want %+v", in, got.Error, want.Error)
	}
	for _, f := range [][3]string{
		{"id", string(got.ID), string(want.ID)},
		{"src", got.Src, want.Src},
		{"func", got.Func, want.Func},
		{"args", string(got.Args), string(want.Args)},
		{"kwargs", string(got.Kwargs), string(want.Kwargs)},
		{"bad args", got.BadArgs, want.BadArgs},
		{"result", string(got.Result), string(want.Result)},
	} {
		if f[1] != f[2] {
			t.Errorf("%s: %s is %q, want %q", in, f[0], f[1], f[2])
		}
	}
	if got.Kind != want.Kind || got.HasSrc != want.HasSrc {
		t.Errorf("%s: kind %d, has src %v", in, got.Kind, got.HasSrc)
	}
}

func TestRemoteErrorText(t *testing.T) {
	if got := (&RemoteError{"ValueError", "boom"}).Error(); got != "ValueError: boom" {
		t.Error(got)
	}
	if got := (&RemoteError{"", "boom"}).Error(); got != "boom" {
		t.Error(got)
	}
}
