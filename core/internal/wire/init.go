package wire

import "encoding/binary"

// An Init asks for a session (§4.1).
type Init struct {
	Version uint8
	Suites  uint8    // offered, bits
	Session uint32   // of the initiator
	Tag     [8]byte  // of the realm
	Cookie  [16]byte // zeros if there is none
	Noise   []byte   // 48 bytes
}

// ParseInit reads an INIT. One of another version gives ErrVersion, and Version
// and Session only.
func ParseInit(b []byte) (Init, error) {
	if len(b) < MinInit || PacketType(b[0]) != PacketInit {
		return Init{}, errPacket
	}
	p := Init{Version: b[1], Session: binary.BigEndian.Uint32(b[4:])}
	if p.Session == 0 {
		return Init{}, errPacket
	}
	if p.Version != Version {
		return p, ErrVersion
	}
	if len(b) > MaxDatagram {
		return Init{}, errPacket
	}
	p.Suites = b[2]
	copy(p.Tag[:], b[8:])
	copy(p.Cookie[:], b[16:])
	p.Noise = b[32 : 32+noiseXX1 : 32+noiseXX1]
	return p, nil
}

// Append appends the packet, with zeros up to MinInit.
func (p *Init) Append(b []byte) []byte {
	start := len(b)
	b = append(b, byte(PacketInit), p.Version, p.Suites, 0)
	b = binary.BigEndian.AppendUint32(b, p.Session)
	b = append(b, p.Tag[:]...)
	b = append(b, p.Cookie[:]...)
	b = append(b, p.Noise...)
	return pad(b, start)
}
