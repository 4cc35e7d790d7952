package legacy

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// unit reads one unit of a JSON string's inside: an escape, or a rune of
// WTF-8. Surrogates come one by one. n is 0 if the bytes are neither.
func unit(b []byte, i int) (r rune, n int) {
	if b[i] == '\\' {
		return escape(b[i:])
	}
	return wtf8Rune(b[i:])
}

// char reads one character of a validated JSON string's inside, which is a
// unit or a pair of surrogates.
func char(b []byte, i int) (r rune, n int) {
	r, n = unit(b, i)
	if utf16.IsSurrogate(r) && i+n < len(b) {
		low, m := unit(b, i+n)
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, n + m
		}
	}
	return r, n
}

// escape reads the escape sequence that b begins with.
func escape(b []byte) (r rune, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return hexEscape(b)
	}
	return 0, 0
}

// hexEscape reads \uXXXX, with exactly four digits of either case.
func hexEscape(b []byte) (r rune, n int) {
	if len(b) < 6 {
		return 0, 0
	}
	for _, c := range b[2:6] {
		d := hexDigit(c)
		if d < 0 {
			return 0, 0
		}
		r = r<<4 | d
	}
	return r, 6
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// wtf8Rune is utf8.DecodeRune that also knows surrogates, three bytes each.
// n is 0 for bytes that are not WTF-8.
func wtf8Rune(b []byte) (r rune, n int) {
	r, n = utf8.DecodeRune(b)
	if r != utf8.RuneError || n != 1 {
		return r, n
	}
	if len(b) >= 3 && b[0] == 0xED && b[1]&0xE0 == 0xA0 && b[2]&0xC0 == 0x80 {
		return 0xD000 | rune(b[1]&0x3F)<<6 | rune(b[2]&0x3F), 3
	}
	return utf8.RuneError, 0
}

// validWTF8 says whether b is UTF-8 but for surrogates.
func validWTF8(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for len(b) > 0 {
		_, n := wtf8Rune(b)
		if n == 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

// appendWTF8 writes r, which may be a surrogate.
func appendWTF8(dst []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(dst, 0xED, 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	}
	return utf8.AppendRune(dst, r)
}

// plain says whether the inside of a JSON string is its own WTF-8 form: it
// has no escapes, and no surrogates (first byte 0xED) that might pair up.
func plain(inside []byte) bool {
	return bytes.IndexByte(inside, '\\') < 0 && bytes.IndexByte(inside, 0xED) < 0
}

// appendText writes the inside of a validated JSON string as WTF-8.
func appendText(dst, inside []byte) []byte {
	if plain(inside) {
		return append(dst, inside...)
	}
	for i := 0; i < len(inside); {
		r, n := char(inside, i)
		dst = appendWTF8(dst, r)
		i += n
	}
	return dst
}

// text gives the WTF-8 of a validated raw JSON string, without copying it
// where it can.
func text(raw []byte) []byte {
	inside := raw[1 : len(raw)-1]
	if plain(inside) {
		return inside
	}
	return appendText(nil, inside)
}
