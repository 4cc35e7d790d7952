package legacy

import "unicode/utf8"

// The scanner walks a text once, without allocating. All its functions take
// the text and an offset and give the offset behind what they passed.

// skipValue passes the value that starts at b[i], inside depth containers.
func skipValue(b []byte, i, depth int) (int, error) {
	if i >= len(b) {
		return i, syntax(i, "unexpected end")
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '[':
		return skipArray(b, i, depth+1)
	case '{':
		return skipObject(b, i, depth+1)
	default:
		return skipScalar(b, i)
	}
}

func skipArray(b []byte, i, depth int) (int, error) {
	i, done, err := firstItem(b, i, depth, ']')
	for err == nil && !done {
		if i, err = skipValue(b, i, depth); err == nil {
			i, done, err = nextItem(b, i, ']')
		}
	}
	return i, err
}

func skipObject(b []byte, i, depth int) (int, error) {
	i, done, err := firstItem(b, i, depth, '}')
	for err == nil && !done {
		if _, i, err = skipKey(b, i); err != nil {
			break
		}
		if i, err = skipValue(b, i, depth); err == nil {
			i, done, err = nextItem(b, i, '}')
		}
	}
	return i, err
}

// firstItem enters the container that starts at b[i] and is the depth-th. It
// gives the offset of its first item, or done and the one behind closer.
func firstItem(b []byte, i, depth int, closer byte) (_ int, done bool, _ error) {
	if depth > MaxDepth {
		return i, false, syntax(i, "nested too deeply")
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == closer {
		return i + 1, true, nil
	}
	return i, false, nil
}

// nextItem passes the comma to the next item, or the end of the container.
func nextItem(b []byte, i int, closer byte) (_ int, done bool, _ error) {
	i = skipSpace(b, i)
	switch {
	case i >= len(b):
		return i, false, syntax(i, "unexpected end")
	case b[i] == closer:
		return i + 1, true, nil
	case b[i] == ',':
		return skipSpace(b, i+1), false, nil
	}
	return i, false, syntax(i, "expected a comma")
}

// skipKey passes a key and its colon. It gives the offset behind the key's
// quote and that of the value.
func skipKey(b []byte, i int) (end, value int, _ error) {
	if i >= len(b) || b[i] != '"' {
		return i, i, syntax(i, "expected a key")
	}
	end, err := skipString(b, i)
	if err != nil {
		return end, end, err
	}
	i = skipSpace(b, end)
	if i >= len(b) || b[i] != ':' {
		return end, i, syntax(i, "expected a colon")
	}
	return end, skipSpace(b, i+1), nil
}

// skipString passes the string whose opening quote is b[i]. Raw surrogates
// pass: they come from WTF-8, and Parse has refused them before.
func skipString(b []byte, i int) (int, error) {
	for i++; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			return i + 1, nil
		case c < ' ':
			return i, syntax(i, "control character in a string")
		case c != '\\' && c < utf8.RuneSelf:
			i++
		default:
			_, n := unit(b, i)
			if n == 0 {
				return i, syntax(i, "bad escape or UTF-8 in a string")
			}
			i += n
		}
	}
	return i, syntax(i, "unterminated string")
}

// skipScalar passes a literal or a number.
func skipScalar(b []byte, i int) (int, error) {
	if n := literal(b[i:]); n > 0 {
		return i + n, nil
	}
	n, digits := number(b[i:])
	switch {
	case n == 0:
		return i, syntax(i, "expected a value")
	case digits > maxDigits:
		return i, syntax(i, "integer of more than 4300 digits")
	}
	return i + n, nil
}

// skipSpace passes what JSON calls white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}
