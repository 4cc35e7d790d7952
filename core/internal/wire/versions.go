package wire

import "encoding/binary"

// MaxVersions bounds the versions that a VERSIONS or a HELLO names.
const MaxVersions = 32

// A Versions answers an INIT of a version that is not spoken (§4.5).
type Versions struct {
	Initiator uint32 // session number
	Versions  []uint8
}

// ParseVersions reads a VERSIONS.
func ParseVersions(b []byte) (Versions, error) {
	const head = 8
	if len(b) < head || PacketType(b[0]) != PacketVersions {
		return Versions{}, errPacket
	}
	count := int(b[1])
	if count == 0 || count > MaxVersions || len(b) != head+count {
		return Versions{}, errPacket
	}
	return Versions{binary.BigEndian.Uint32(b[4:]), b[head:len(b):len(b)]}, nil
}

// Append appends the packet, with the first MaxVersions versions.
func (p *Versions) Append(b []byte) []byte {
	versions := p.Versions[:min(len(p.Versions), MaxVersions)]
	b = append(b, byte(PacketVersions), byte(len(versions)), 0, 0)
	b = binary.BigEndian.AppendUint32(b, p.Initiator)
	return append(b, versions...)
}
