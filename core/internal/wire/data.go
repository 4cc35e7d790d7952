package wire

import "encoding/binary"

// A Header is that of DATA (§8), the packet of an established session. Nothing of
// it is to be trusted before the tag has verified.
type Header struct {
	Phase   uint8  // of the key, 0 or 1
	Session uint32 // of the receiver
	Number  uint64 // at most MaxVarint, as an ACK cannot name more
}

// ParseHeader reads the header of a DATA packet, of which all must be there: a
// header, a frame and a tag at least.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize+1+TagSize || PacketType(b[0]) != PacketData {
		return Header{}, errPacket
	}
	h := Header{
		Phase:   b[1] & 1,
		Session: binary.BigEndian.Uint32(b[4:]),
		Number:  binary.BigEndian.Uint64(b[8:]),
	}
	if h.Number > MaxVarint {
		return Header{}, errPacket
	}
	return h, nil
}

// Append appends the HeaderSize bytes of the header.
func (h Header) Append(b []byte) []byte {
	b = append(b, byte(PacketData), h.Phase&1, 0, 0)
	b = binary.BigEndian.AppendUint32(b, h.Session)
	return binary.BigEndian.AppendUint64(b, h.Number)
}
