package legacy

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// The seeds of all targets are in testdata/fuzz.

func FuzzParse(f *testing.F) {
	for _, b := range golden(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if !utf8.Valid(b) || Valid(b) != nil {
			t.Fatal("parsed, but invalid")
		}
		checkMessage(t, m)
	})
}

func checkMessage(t *testing.T, m Message) {
	for name, raw := range map[string][]byte{"id": m.ID, "args": m.Args, "kwargs": m.Kwargs, "result": m.Result} {
		if raw != nil && Valid(raw) != nil {
			t.Fatalf("%s is %q", name, raw)
		}
	}
	switch m.Kind {
	case Request:
		if (m.BadArgs == "") != (m.Args != nil && m.Args[0] == '[' && m.Kwargs[0] == '{') {
			t.Fatalf("%+v", m)
		}
	case Reply:
		if reply := rewriteReply(m); reply != nil && (len(reply) > MaxPayload || Valid(reply) != nil) {
			t.Fatalf("%s", reply)
		}
	}
}

func rewriteReply(m Message) []byte {
	if m.Error != nil {
		return AppendError(nil, m.ID, m.Error.Type, m.Error.Message)
	}
	return AppendResponse(nil, m.ID, m.Result)
}

func FuzzToCBOR(f *testing.F) {
	for _, b := range golden(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		cbor, err := ToCBOR(nil, in)
		if (err == nil) != (Valid(in) == nil) {
			t.Fatal("valid, or not:", err)
		}
		if err == nil {
			json := checkReturns(t, cbor)
			checkNormalize(t, in, json)
		}
	})
}

// checkReturns takes CBOR from ToCBOR to JSON and back.
func checkReturns(t *testing.T, cbor []byte) []byte {
	json, err := ToJSON(nil, cbor)
	if err != nil {
		t.Fatalf("%x: %v", cbor, err)
	}
	again, err := ToCBOR(nil, json)
	if err != nil || !bytes.Equal(again, cbor) {
		t.Fatalf("%x, then %s, then %x, %v", cbor, json, again, err)
	}
	return json
}

// checkNormalize: the normal form of a text reads as the text does.
func checkNormalize(t *testing.T, in, json []byte) {
	normal, err := Normalize(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	if got := reread(t, normal); got != string(json) {
		t.Fatalf("%s, not %s", got, json)
	}
}

func FuzzToJSON(f *testing.F) {
	for _, b := range golden(f) {
		cbor, err := ToCBOR(nil, b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(cbor)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		json, err := ToJSON(nil, in)
		if err != nil {
			return
		}
		cbor, err := ToCBOR(nil, json)
		if err != nil {
			t.Fatalf("%s: %v", json, err)
		}
		again := checkReturns(t, cbor)
		// Only equal keys, which a map in CBOR may have, get lost.
		if !bytes.Equal(again, json) && len(again) >= len(json) {
			t.Fatalf("%s, not %s", again, json)
		}
	})
}
