package legacy

// AppendStreamError appends the line that refuses a stream, given the line that
// asked for it (`{"type": "stream_open", "name": N, "src": S}` and LF). A line that
// asks for nothing of the kind gets no answer: dst is returned as it was.
func AppendStreamError(dst, line []byte) []byte {
	name, ok := streamName(line)
	if !ok {
		return dst
	}
	dst = append(dst, `{"type": "stream_error", "error": `...)
	dst = appendQuoted(dst, "No stream handler for '"+name+"'")
	return append(dst, "}\n"...)
}

// streamName reads a stream_open line.
func streamName(line []byte) (name string, ok bool) {
	first, _, err := SplitJSON(line)
	if err != nil || first[0] != '{' {
		return "", false
	}
	var typ string
	eachMember(first, func(key, value []byte) {
		if value[0] != '"' {
			return
		}
		switch string(key) {
		case "type":
			typ = string(text(value))
		case "name":
			name = string(text(value))
		}
	})
	return name, typ == "stream_open"
}
