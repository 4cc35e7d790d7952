package legacy

import (
	"unicode/utf16"
	"unicode/utf8"
)

// appendQuoted writes s, text in WTF-8, as a JSON string. What is not WTF-8
// becomes U+FFFD, a replacement character a byte.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		if safe(s[i]) {
			dst = append(dst, s[i])
			i++
			continue
		}
		r, n := wtf8Rune([]byte(s[i:min(i+utf8.UTFMax, len(s))]))
		dst = appendEscaped(dst, r)
		i += max(n, 1)
	}
	return append(dst, '"')
}

// requote writes the inside of a validated JSON string in the dialect.
func requote(dst, inside []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(inside); {
		if safe(inside[i]) {
			dst = append(dst, inside[i])
			i++
			continue
		}
		r, n := unit(inside, i)
		dst = appendEscaped(dst, r)
		i += n
	}
	return append(dst, '"')
}

// safe says whether json.dumps writes c as it is: printable ASCII, which DEL
// is not, but for the quote and the backslash.
func safe(c byte) bool {
	return ' ' <= c && c <= '~' && c != '"' && c != '\\'
}

// appendEscaped writes one character, escaped unless it is safe.
func appendEscaped(dst []byte, r rune) []byte {
	switch {
	case r < utf8.RuneSelf && safe(byte(r)):
		return append(dst, byte(r))
	case shortEscape(r) != 0:
		return append(dst, '\\', shortEscape(r))
	case r > 0xFFFF:
		high, low := utf16.EncodeRune(r)
		return appendHex(appendHex(dst, high), low)
	}
	return appendHex(dst, r)
}

// shortEscape gives the letter of a two-character escape, or 0. A slash
// needs none.
func shortEscape(r rune) byte {
	switch r {
	case '"', '\\':
		return byte(r)
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return 0
}

func appendHex(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
