package wire

import "encoding/binary"

// A Resp answers an INIT (§4.2).
type Resp struct {
	Initiator, Responder uint32 // session numbers
	Noise                []byte
}

// ParseResp reads a RESP.
func ParseResp(b []byte) (Resp, error) {
	p, err := parseAnswer(b, PacketResp, noiseXX2)
	return Resp(p), err
}

// Append appends the packet.
func (p *Resp) Append(b []byte) []byte {
	return (*answer)(p).append(b, PacketResp)
}

// An answer is what RESP and RESUMED have in common: all but the type.
type answer Resp

func parseAnswer(b []byte, t PacketType, around int) (answer, error) {
	const head = 12
	if err := checkHead(b, t, head); err != nil {
		return answer{}, err
	}
	p := answer{
		Initiator: binary.BigEndian.Uint32(b[4:]),
		Responder: binary.BigEndian.Uint32(b[8:]),
		Noise:     b[head:len(b):len(b)],
	}
	if p.Responder == 0 || !holdsHello(p.Noise, around) {
		return answer{}, errPacket
	}
	return p, nil
}

func (p *answer) append(b []byte, t PacketType) []byte {
	b = appendHead(b, t, p.Initiator)
	b = binary.BigEndian.AppendUint32(b, p.Responder)
	return append(b, p.Noise...)
}
