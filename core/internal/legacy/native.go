package legacy

// nativeKey is a member that 1.x nodes do not know and pass over. A request has it to
// ask, and a response to tell, whether a node speaks the native protocol.
const nativeKey = "pl"

// MarkNative adds the member to a datagram of this package, if it stays within
// [MaxPayload].
func MarkNative(datagram []byte) []byte {
	const mark = `, "` + nativeKey + `": 1}`
	if len(datagram) == 0 || len(datagram)-1+len(mark) > MaxPayload {
		return datagram
	}
	return append(datagram[:len(datagram)-1], mark...)
}
