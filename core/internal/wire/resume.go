package wire

import "encoding/binary"

// A Resume asks for a session with a peer of an earlier one (§4.6).
type Resume struct {
	Version uint8
	Suites  uint8    // offered, bits
	Session uint32   // of the initiator
	Tag     [8]byte  // of the realm
	Cookie  [16]byte // zeros if there is none
	Ticket  [16]byte
	Noise   []byte
}

// ParseResume reads a RESUME. One of another version gives ErrVersion and
// nothing else.
func ParseResume(b []byte) (Resume, error) {
	const head = 50
	if err := checkHead(b, PacketResume, MinInit); err != nil {
		return Resume{}, err
	}
	if len(b) > MaxDatagram {
		return Resume{}, errPacket
	}
	p := Resume{Version: b[1], Suites: b[2], Session: binary.BigEndian.Uint32(b[4:])}
	copy(p.Tag[:], b[8:])
	copy(p.Cookie[:], b[16:])
	copy(p.Ticket[:], b[32:])
	p.Noise, _ = take(b[head:], uint64(binary.BigEndian.Uint16(b[48:])))
	if p.Session == 0 || !holdsHello(p.Noise, noiseIK1) {
		return Resume{}, errPacket
	}
	return p, nil
}

// Append appends the packet, with zeros up to MinInit.
func (p *Resume) Append(b []byte) []byte {
	start := len(b)
	b = append(b, byte(PacketResume), p.Version, p.Suites, 0)
	b = binary.BigEndian.AppendUint32(b, p.Session)
	b = append(b, p.Tag[:]...)
	b = append(b, p.Cookie[:]...)
	b = append(b, p.Ticket[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Noise)))
	b = append(b, p.Noise...)
	return pad(b, start)
}
