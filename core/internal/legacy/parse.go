package legacy

import "unicode/utf8"

// Parse reads one datagram. It refuses what a 1.1.1 node drops (not UTF-8,
// not JSON, a byte order mark) and what kills one (not an object, nested
// deeper than [MaxDepth], an integer of more than 4300 digits); whatever
// passes is an object, perhaps of kind [Other]. The message aliases datagram.
func Parse(datagram []byte) (Message, error) {
	if !utf8.Valid(datagram) {
		return Message{}, ErrNotUTF8
	}
	i := skipSpace(datagram, 0)
	if i == len(datagram) || datagram[i] != '{' {
		return Message{}, ErrNotObject
	}
	var f fields
	end, err := f.read(datagram, i)
	if err != nil {
		return Message{}, err
	}
	if end = skipSpace(datagram, end); end < len(datagram) {
		return Message{}, syntax(end, "data behind the object")
	}
	return f.message(), nil
}

// fields are the raw values of the members of an object that mean something,
// nil where missing.
type fields struct {
	typ, id, src, rpc, args, kwargs, result, err, pl []byte
}

// read passes the object at b[i]. Of members with equal keys the last counts.
func (f *fields) read(b []byte, i int) (int, error) {
	i, done, err := firstItem(b, i, 1, '}')
	for err == nil && !done {
		key := i
		end, value, err := skipKey(b, i)
		if err != nil {
			return i, err
		}
		if i, err = skipValue(b, value, 1); err != nil {
			return i, err
		}
		f.set(text(b[key:end]), b[value:i:i])
		if i, done, err = nextItem(b, i, '}'); err != nil {
			return i, err
		}
	}
	return i, err
}

func (f *fields) set(key, value []byte) {
	switch string(key) {
	case "type":
		f.typ = value
	case "id":
		f.id = value
	case "src":
		f.src = value
	case "rpc":
		f.rpc = value
	case "args":
		f.args = value
	case "kwargs":
		f.kwargs = value
	case "result":
		f.result = value
	case "error":
		f.err = value
	case nativeKey:
		f.pl = value
	}
}

// message decides what the object is and reads it as that.
func (f *fields) message() Message {
	switch m := (Message{Kind: f.kind(), ID: f.id, Native: f.pl != nil}); m.Kind {
	case Request:
		return f.request(m)
	case Reply:
		return f.reply(m)
	default:
		return m
	}
}

// kind sorts by type, in 1.1.1's order. A request without a type is the form
// before 1.1, which arp_scan still sends.
func (f *fields) kind() Kind {
	if missing(f.typ) {
		if f.rpc != nil {
			return Request
		}
		return f.kindByMembers()
	}
	switch f.typeName() {
	case "request":
		return Request
	case "response", "error":
		return Reply
	case "channel_open", "channel_ack", "channel_data", "channel_close":
		return Other
	}
	return f.kindByMembers()
}

func (f *fields) kindByMembers() Kind {
	if f.result != nil || f.err != nil {
		return Reply
	}
	return Other
}

// typeName gives the type if it is a string.
func (f *fields) typeName() string {
	if f.typ == nil || f.typ[0] != '"' {
		return ""
	}
	return string(text(f.typ))
}

func (f *fields) request(m Message) Message {
	if m.HasSrc = !missing(f.src); m.HasSrc {
		m.Src = pyStr(f.src)
	}
	if f.rpc != nil {
		m.Func = pyStr(f.rpc)
	}
	m.setArgs(f.args, f.kwargs)
	return m
}

func (f *fields) reply(m Message) Message {
	if m.Result = f.result; m.Result == nil {
		m.Result = jsonNull
	}
	if f.err != nil || f.typeName() == "error" {
		m.Error = remoteError(f.err)
	}
	return m
}

// remoteError reads an error member. Of an object, members that are missing
// read as None, as they do in Python.
func remoteError(raw []byte) *RemoteError {
	if len(raw) == 0 || raw[0] != '{' {
		return &RemoteError{Message: pyStr(raw)}
	}
	var typ, message []byte
	eachMember(raw, func(key, value []byte) {
		switch string(key) {
		case "type":
			typ = value
		case "message":
			message = value
		}
	})
	return &RemoteError{Type: pyStr(typ), Message: pyStr(message)}
}

// missing says whether a member is absent or null: Python's get gives None.
func missing(raw []byte) bool { return raw == nil || string(raw) == litNull }
