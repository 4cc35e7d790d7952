package legacy

// Shared by all messages; full, so that an append copies them.
var (
	emptyArray  = []byte("[]")
	emptyObject = []byte("{}")
	jsonNull    = []byte(litNull)
)

// setArgs fills in the arguments of a request the way Python's f(*args,
// **kwargs) takes them. It looks at kwargs first, as CPython does.
func (m *Message) setArgs(args, kwargs []byte) {
	if kwargs == nil {
		kwargs = emptyObject
	}
	spread, ok := spreadArgs(args)
	switch {
	case kwargs[0] != '{':
		m.BadArgs = m.Func + "() argument after ** must be a mapping, not " + pyType(kwargs)
	case !ok:
		m.BadArgs = m.Func + "() argument after * must be an iterable, not " + pyType(args)
	default:
		m.Args, m.Kwargs = spread, kwargs
	}
}

// spreadArgs gives the array that *args makes of a value; false if Python
// cannot iterate over it.
func spreadArgs(args []byte) ([]byte, bool) {
	if args == nil {
		return emptyArray, true
	}
	switch args[0] {
	case '[':
		return args, true
	case '"':
		return spreadString(args[1 : len(args)-1]), true
	case '{':
		return spreadKeys(args), true
	}
	return nil, false
}

// spreadString makes an array of the characters of a string.
func spreadString(inside []byte) []byte {
	dst := []byte{'['}
	for i := 0; i < len(inside); {
		r, n := char(inside, i)
		dst = append(appendEscaped(append(dst, '"'), r), `", `...)
		i += n
	}
	return closeArray(dst)
}

// spreadKeys makes an array of the keys of an object, each once.
func spreadKeys(object []byte) []byte {
	dst := []byte{'['}
	seen := make(map[string]struct{})
	eachMember(object, func(key, _ []byte) {
		if _, dup := seen[string(key)]; dup {
			return
		}
		seen[string(key)] = struct{}{}
		dst = append(appendQuoted(dst, key), ", "...)
	})
	return closeArray(dst)
}

// closeArray turns the last separator into the closing bracket.
func closeArray(dst []byte) []byte {
	if len(dst) > 1 {
		dst = dst[:len(dst)-len(", ")]
	}
	return append(dst, ']')
}
