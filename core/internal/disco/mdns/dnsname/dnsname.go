// Package dnsname converts between the names people read and the presentation
// form of DNS (RFC 1035 §5.1) that miekg/dns speaks: an instance name may hold
// dots, blanks, quotes and any UTF-8, a TXT string any byte.
package dnsname

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxLabel is the longest label DNS can carry, in bytes.
const MaxLabel = 63

// special are the printable bytes that miekg/dns escapes in a name.
const special = `.\ '@;()"`

// Escape makes one label of s. The result is byte for byte what miekg/dns makes
// of the same label when it unpacks a message, so that both can be compared.
func Escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		case strings.IndexByte(special, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Unescape is the inverse of Escape, for names and for TXT strings.
func Unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b = append(b, s[i])
		case i+3 < len(s) && digits(s[i+1:i+4]):
			b = append(b, (s[i+1]-'0')*100+(s[i+2]-'0')*10+(s[i+3]-'0'))
			i += 3
		default:
			i++
			b = append(b, s[i])
		}
	}
	return string(b)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Instance returns the instance name in full, which must be one label followed
// by typ ("_peerlink._tcp.local.").
func Instance(full, typ string) (string, bool) {
	n := len(full) - len(typ) - 1
	if n < 1 || full[n] != '.' || !strings.EqualFold(full[n+1:], typ) {
		return "", false
	}
	label := full[:n]
	for i := 0; i < len(label); i++ {
		if label[i] == '.' {
			return "", false
		}
		if label[i] == '\\' {
			i++
			if i == len(label) {
				return "", false // the dot before typ is part of the label
			}
		}
	}
	name := Unescape(label)
	return name, Valid(name)
}

// Valid tells whether s can be an instance name or a host label.
func Valid(s string) bool {
	return s != "" && len(s) <= MaxLabel && utf8.ValidString(s)
}

// Numbered returns the name to use when n-1 others already own base: "base (n)",
// with base shortened by whole characters where it would not fit.
func Numbered(base string, n int) string {
	tail := fmt.Sprintf(" (%d)", n)
	for len(base)+len(tail) > MaxLabel {
		_, size := utf8.DecodeLastRuneInString(base)
		base = base[:len(base)-size]
	}
	return base + tail
}

// Texts prepares TXT strings for miekg/dns, which reads a backslash in them.
func Texts(in []string) []string {
	out := make([]string, 0, max(1, len(in)))
	for _, s := range in {
		out = append(out, strings.ReplaceAll(s, `\`, `\\`))
	}
	if len(out) == 0 {
		out = append(out, "") // RFC 6763 §6.1: at least one string
	}
	return out
}
