package legacy

// Normalize appends json, one value of the dialect, as json.dumps would spell
// it: separators ", " and ": ", everything but ASCII escaped. Numbers keep
// their spelling, for 1 and 1.0 differ; of equal keys all stay.
func Normalize(dst, json []byte) ([]byte, error) {
	if err := Valid(json); err != nil {
		return dst, err
	}
	return normalize(dst, json), nil
}

// normalize is Normalize for validated text. Outside strings, only the
// separators have to be rewritten.
func normalize(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '"':
			end, _ := skipString(b, i)
			dst = requote(dst, b[i+1:end-1])
			i = end
			continue
		case ',', ':':
			dst = append(dst, c, ' ')
		case ' ', '\t', '\n', '\r':
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst
}
