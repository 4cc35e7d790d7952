package legacy

import (
	"strconv"
	"strings"
	"testing"
)

func BenchmarkParseRequest(b *testing.B)  { benchParse(b, "rpc-03-request-kwargs") }
func BenchmarkParseResponse(b *testing.B) { benchParse(b, "rpc-04-response-echo") }
func BenchmarkParse1200(b *testing.B)     { benchParse(b, "rpc-10-response-exactly-1200") }

func benchParse(b *testing.B, name string) {
	in := golden(b)[name]
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	call := Call{
		ID: uuid, Src: "Client", Dst: "Server", Func: "echo",
		Args: []byte(`[1, "a", null, true]`), Kwargs: []byte(`{"k": [1, {"z": 2.5}]}`),
	}
	dst := make([]byte, 0, MaxPayload)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendRequest(dst, call); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	result := []byte(`{"ok": true, "time": 1795251155.5455992}`)
	dst := make([]byte, 0, MaxPayload)
	b.ReportAllocs()
	for b.Loop() {
		AppendResponse(dst, rawID, result)
	}
}

func BenchmarkTranscode(b *testing.B) {
	json := []byte(`[1, "a", null, true, {"k": [1, {"z": 2.5}]}]`)
	cbor, err := ToCBOR(nil, json)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, MaxPayload)
	b.Run("ToCBOR", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = ToCBOR(dst, json)
		}
	})
	b.Run("ToJSON", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = ToJSON(dst, cbor)
		}
	})
}

// worst gives texts of the size of the largest datagram that are expensive.
func worst() map[string][]byte {
	const size = 65507
	var keys strings.Builder
	for i := range 6000 {
		keys.WriteString(`"` + strconv.Itoa(i) + `":0,`)
	}
	nest := func(open, end string) string {
		mid := size - MaxDepth*(len(open)+len(end))
		return strings.Repeat(open, MaxDepth) + strings.Repeat(" ", mid-1) + "0" + strings.Repeat(end, MaxDepth)
	}
	digits := strings.Repeat("9", maxDigits)
	return map[string][]byte{
		"keys":       []byte("{" + strings.TrimSuffix(keys.String(), ",") + "}"),
		"digits":     []byte("[" + strings.Repeat(digits+",", size/maxDigits-1) + digits + "]"),
		"wide nest":  []byte(nest("[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,", "]")),
		"equal keys": []byte(nest(`{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"a":`, "}")),
		"escapes":    []byte(`"` + strings.Repeat(`\u00e9`, size/6-1) + `"`),
		"zeros":      []byte("[" + strings.Repeat("0,", size/2-2) + "0]"),
		"fraction":   []byte("0." + strings.Repeat("1", size-2)),
	}
}

func BenchmarkWorst(b *testing.B) {
	for name, in := range worst() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				cbor, _ := ToCBOR(nil, in)
				_, _ = ToJSON(nil, cbor)
			}
		})
	}
}
