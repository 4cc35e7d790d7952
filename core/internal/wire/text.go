package wire

import (
	"strings"
	"unicode/utf8"
)

// text makes a string of at most limit bytes of what should be UTF-8: what is not
// becomes U+FFFD, and what is too long is cut between characters.
func text(b []byte, limit int) string {
	b = b[:min(len(b), limit+utf8.UTFMax)] // enough to see where to cut
	return cut(strings.ToValidUTF8(string(b), string(utf8.RuneError)), limit)
}

// cut returns at most limit bytes of s, which ends with a whole character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
