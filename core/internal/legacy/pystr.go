package legacy

// pyStr gives the text that Python's str() makes of a value, read from raw
// JSON. A missing value is None. Arrays and objects are given as JSON: nobody
// needs Python's repr of them.
func pyStr(raw []byte) string {
	switch string(raw) {
	case "", litNull:
		return "None"
	case litTrue:
		return "True"
	case litFalse:
		return "False"
	}
	switch raw[0] {
	case '"':
		return string(text(raw))
	case '[', '{':
		return string(normalize(nil, raw))
	}
	return pyNumber(raw)
}

// pyNumber is pyStr of a number or of what stands for one.
func pyNumber(raw []byte) string {
	switch string(raw) {
	case litNaN:
		return "nan"
	case litInf:
		return "inf"
	case litNegInf:
		return "-inf"
	case "-0":
		return "0"
	}
	if _, digits := number(raw); digits > 0 {
		return string(raw)
	}
	f := appendFloat(nil, parseFloat(raw))
	if literal(f) > 0 { // 1e400
		return pyNumber(f)
	}
	return string(f)
}

// pyType gives the name of the Python type a value is read as.
func pyType(raw []byte) string {
	switch raw[0] {
	case '"':
		return "str"
	case '[':
		return "list"
	case '{':
		return "dict"
	case 'n':
		return "NoneType"
	case 't', 'f':
		return "bool"
	}
	if _, digits := number(raw); digits > 0 {
		return "int"
	}
	return "float"
}
