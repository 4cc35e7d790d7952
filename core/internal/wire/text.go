package wire

import (
	"strings"
	"unicode/utf8"
)

// text makes a string of what should be UTF-8: at most limit bytes of b, and U+FFFD
// for what is not.
func text(b []byte, limit int) string {
	b = b[:min(len(b), limit+1)] // enough to see where to cut
	return strings.ToValidUTF8(cut(string(b), limit), string(utf8.RuneError))
}

// cut returns at most limit bytes of s, which end with a whole character if s is
// UTF-8.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit
	for end > 0 && end > limit-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
