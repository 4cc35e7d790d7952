package dnsname

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/peerlink/peerlink/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const typ = "_t._tcp.local."

var names = []string{
	"a", "Phone 1.x", "a.b.c", ".", "..", `\`, `\\.`, `\065`, `"quoted"`, "it's @ (home); $5",
	"sl/ash", "📱", "名前", "\x00\x01\x7f", strings.Repeat("x", MaxLabel), "_x._tcp.local",
}

func TestRoundTrip(t *testing.T) {
	for _, name := range names {
		full := Escape(name) + "." + typ
		if got, ok := Instance(full, typ); !ok || got != name {
			t.Errorf("Instance(%q) = %q, %v", full, got, ok)
		}
	}
}

// miekg/dns packs our escapes and gives the same ones back.
func TestLikeMiekg(t *testing.T) {
	for _, name := range names {
		full := Escape(name) + "." + typ
		b := make([]byte, 300)
		n, err := dns.PackDomainName(full, b, 0, nil, false)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if int(b[0]) != len(name) || string(b[1:1+len(name)]) != name {
			t.Errorf("%q on the wire: %q", name, b[:n])
		}
		if back, _, err := dns.UnpackDomainName(b, 0); err != nil || back != full {
			t.Errorf("%q: unpacked %q, %v", full, back, err)
		}
	}
}

func TestInstanceRefuses(t *testing.T) {
	for _, full := range []string{
		"", ".", typ, "." + typ, "a.b." + typ, "a._u._tcp.local.", `a\._t._tcp.local.`,
		"a" + typ, `\255.` + typ, strings.Repeat("x", MaxLabel+1) + "." + typ,
	} {
		if name, ok := Instance(full, typ); ok {
			t.Errorf("Instance(%q) = %q", full, name)
		}
	}
}

func TestNumbered(t *testing.T) {
	for _, c := range []struct {
		base string
		n    int
		want string
	}{
		{"Phone", 2, "Phone (2)"},
		{"Phone (2)", 3, "Phone (2) (3)"},
		{strings.Repeat("x", 63), 2, strings.Repeat("x", 59) + " (2)"},
		{strings.Repeat("é", 31), 10, strings.Repeat("é", 29) + " (10)"},
	} {
		got := Numbered(c.base, c.n)
		if got != c.want || !utf8.ValidString(got) {
			t.Errorf("Numbered(%q, %d) = %q, want %q", c.base, c.n, got, c.want)
		}
	}
}

func TestTexts(t *testing.T) {
	in := []string{`path=C:\065\x`, `"q"`, "bin=\x00\xff", "", "plain"}
	rr := &dns.TXT{Hdr: dns.RR_Header{Name: typ, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: Texts(in)}
	b := make([]byte, 500)
	n, err := dns.PackRR(rr, b, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	back, _, err := dns.UnpackRR(b[:n], 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range back.(*dns.TXT).Txt {
		out = append(out, Unescape(s))
	}
	if !slices.Equal(in, out) {
		t.Errorf("%q became %q", in, out)
	}
	if got := Texts(nil); !slices.Equal(got, []string{""}) {
		t.Errorf("Texts(nil) = %q", got)
	}
}

func FuzzEscape(f *testing.F) {
	for _, name := range names {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if got := Unescape(Escape(name)); got != name {
			t.Errorf("%q came back as %q", name, got)
		}
		Instance(name, typ)
		Instance(name+"."+typ, typ)
	})
}
