package wire

// AppendID appends a frame that is the id of a call and nothing else: WORKING or
// CANCEL.
func AppendID(b []byte, t FrameType, id uint64) []byte {
	b = append(b, byte(t), byte(varintLen(id)))
	return AppendVarint(b, id)
}

// ParseID reads the body of a WORKING or CANCEL.
func ParseID(body []byte) (uint64, error) {
	id, _, ok := Varint(body)
	if !ok || id == 0 {
		return 0, errFrame
	}
	return id, nil
}
