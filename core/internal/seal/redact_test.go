package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Nothing that holds a secret shows it, whichever way it is printed.
func TestNothingIsShown(t *testing.T) {
	text, err := NewSecret(counter(9))
	check(t, err)
	r, err := NewRealm(text)
	check(t, err)
	a, b := identity(t, 1), identity(t, 2)
	h, _, err := Initiate(a, r, prologue, counter(3))
	check(t, err)
	k := shake(t, a, b, r).initiator
	res := k.Resumption()
	c, err := NewCipher(k, AESGCM, start0)
	check(t, err)
	jar, err := NewJar(counter(4))
	check(t, err)

	secrets := [][]byte{
		[]byte(text), r.psk.get()[:], a.private.get()[:], h.ephemeral.get()[:], k.send.get()[:], k.receive.get()[:], k.exporter.get()[:],
		res.secret.get()[:], c.send.secret.get()[:], c.send.now.get().iv[:], c.receive.secret.get()[:], c.receive.next.get().iv[:], jar.key.get()[:],
	}
	tag, fp := r.Tag(), a.Fingerprint()
	for _, v := range []struct {
		value, pointer any
		shown          string
	}{
		{*r, r, "[realm " + hex.EncodeToString(tag[:]) + "]"},
		{*OpenRealm(), OpenRealm(), "[open realm]"},
		{*a, a, "[identity " + fp.String() + "]"},
		{*h, h, "[handshake]"},
		{*k, k, "[keys]"},
		{*res, res, "[resumption " + hex.EncodeToString(res.Ticket[:]) + "]"},
		{*c, c, "[cipher]"},
		{*jar, jar, "[jar]"},
		{Realm{}, &Realm{}, "[secret]"},
	} {
		for _, x := range []any{v.value, v.pointer} {
			for how, out := range printed(x) {
				if !strings.Contains(out, v.shown) {
					t.Errorf("%T by %s: %s", x, how, out)
				}
				noSecret(t, how, out, secrets)
			}
			// Inside something else, where fmt does not find the methods.
			for how, out := range printed(struct{ hidden any }{x}) {
				noSecret(t, how, out, secrets)
			}
		}
	}
}

// printed is v in all the ways that come to mind.
func printed(v any) map[string]string {
	out := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	out["an error"] = fmt.Errorf("failed: %v", v).Error()
	var buf bytes.Buffer
	slog.New(slog.NewTextHandler(&buf, nil)).Info("m", "v", v)
	out["slog text"] = buf.String()
	var js bytes.Buffer
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v)
	out["slog JSON"] = js.String()
	b, _ := json.Marshal(v)
	out["JSON"] = string(b)
	return out
}

// noSecret looks for bytes as text, in hexadecimal, and as Go prints them.
func noSecret(t *testing.T, how, out string, secrets [][]byte) {
	t.Helper()
	lower := strings.ToLower(out)
	for i, s := range secrets {
		s = s[:8]
		list := strings.Trim(fmt.Sprint(s), "[]")
		goList := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", s), "[]byte{"), "}")
		for _, form := range []string{string(s), hex.EncodeToString(s), list, goList} {
			if strings.Contains(out, form) || strings.Contains(lower, form) {
				t.Errorf("secret %d by %s: %s", i, how, out)
			}
		}
	}
}
