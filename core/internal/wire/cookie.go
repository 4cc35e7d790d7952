package wire

import "encoding/binary"

// A Cookie asks for an INIT or RESUME again, with the cookie in place (§4.4).
type Cookie struct {
	Initiator uint32 // session number
	Cookie    [16]byte
}

// ParseCookie reads a COOKIE.
func ParseCookie(b []byte) (Cookie, error) {
	const size = 24
	if err := checkHead(b, PacketCookie, size); err != nil {
		return Cookie{}, err
	}
	if len(b) != size {
		return Cookie{}, errPacket
	}
	p := Cookie{Initiator: binary.BigEndian.Uint32(b[4:])}
	copy(p.Cookie[:], b[8:])
	return p, nil
}

// Append appends the packet.
func (p *Cookie) Append(b []byte) []byte {
	b = appendHead(b, PacketCookie, p.Initiator)
	return append(b, p.Cookie[:]...)
}
