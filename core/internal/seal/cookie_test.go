package seal

import (
	"errors"
	"net/netip"
	"testing"
	"testing/iotest"
	"time"
)

func TestCookie(t *testing.T) {
	j, err := NewJar(counter(1))
	check(t, err)
	other, err := NewJar(counter(2))
	check(t, err)
	for _, text := range []string{"192.0.2.1:5000", "[2001:db8::1]:5000", "[fe80::1%eth0]:5000", "0.0.0.0:0"} {
		addr := netip.MustParseAddrPort(text)
		cookie := j.Cookie(start0, addr, 7)
		if cookie == [16]byte{} || cookie != j.Cookie(start0, addr, 7) {
			t.Errorf("%s: %x", text, cookie)
		}
		for age, want := range map[time.Duration]bool{
			0: true, time.Minute: true, 2 * time.Minute: true, 4 * time.Minute: false, time.Hour: false, -3 * time.Minute: false,
		} {
			if j.Valid(start0.Add(age), addr, 7, cookie) != want {
				t.Errorf("%s: valid after %v is not %v", text, age, want)
			}
		}
		bad := cookie
		bad[15] ^= 1
		for what, ok := range map[string]bool{
			"session":    j.Valid(start0, addr, 8, cookie),
			"port":       j.Valid(start0, netip.AddrPortFrom(addr.Addr(), addr.Port()+1), 7, cookie),
			"address":    j.Valid(start0, netip.AddrPortFrom(addr.Addr().Next(), addr.Port()), 7, cookie),
			"key":        other.Valid(start0, addr, 7, cookie),
			"cookie":     j.Valid(start0, addr, 7, bad),
			"nothing":    j.Valid(start0, addr, 7, [16]byte{}),
			"no address": j.Valid(start0, netip.AddrPort{}, 7, cookie),
		} {
			if ok {
				t.Errorf("%s: another %s is valid", text, what)
			}
		}
	}
}

// A socket for both families calls one host by two names.
func TestCookieMappedAddress(t *testing.T) {
	j, err := NewJar(counter(1))
	check(t, err)
	c := j.Cookie(start0, netip.MustParseAddrPort("192.0.2.1:5000"), 7)
	if !j.Valid(start0, netip.MustParseAddrPort("[::ffff:192.0.2.1]:5000"), 7, c) {
		t.Error("not valid for the mapped address")
	}
	zones := []string{"[fe80::1%eth0]:5000", "[fe80::1%eth1]:5000"}
	if j.Cookie(start0, netip.MustParseAddrPort(zones[0]), 7) == j.Cookie(start0, netip.MustParseAddrPort(zones[1]), 7) {
		t.Error("one cookie for two links")
	}
}

func TestCookieRotation(t *testing.T) {
	j, err := NewJar(counter(1))
	check(t, err)
	addr := netip.MustParseAddrPort("192.0.2.1:5000")
	seen := make(map[[16]byte]bool)
	for i := range 5 {
		seen[j.Cookie(start0.Add(time.Duration(i)*cookieEpoch), addr, 7)] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d cookies in 5 epochs", len(seen))
	}
	if _, err := NewJar(iotest.ErrReader(errors.New("dry"))); err == nil {
		t.Error("a jar of no randomness")
	}
}
