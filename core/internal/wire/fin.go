package wire

import "encoding/binary"

// A Fin ends the handshake (§4.3).
type Fin struct {
	Responder uint32 // session number
	Noise     []byte
}

// ParseFin reads a FIN.
func ParseFin(b []byte) (Fin, error) {
	const head = 8
	if err := checkHead(b, PacketFin, head); err != nil {
		return Fin{}, err
	}
	p := Fin{Responder: binary.BigEndian.Uint32(b[4:]), Noise: b[head:len(b):len(b)]}
	if !holdsHello(p.Noise, noiseXX3) {
		return Fin{}, errPacket
	}
	return p, nil
}

// Append appends the packet.
func (p *Fin) Append(b []byte) []byte {
	b = appendHead(b, PacketFin, p.Responder)
	return append(b, p.Noise...)
}
