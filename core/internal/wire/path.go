package wire

// AppendPath appends a PATH_CHALLENGE or PATH_RESPONSE (§11).
func AppendPath(b []byte, t FrameType, data [8]byte) []byte {
	b = append(b, byte(t), byte(len(data)))
	return append(b, data[:]...)
}

// ParsePath reads the body of a PATH_CHALLENGE or PATH_RESPONSE.
func ParsePath(body []byte) (data [8]byte, err error) {
	if len(body) < len(data) {
		return data, errFrame
	}
	return [8]byte(body), nil
}
