package wire

// A Resumed answers a RESUME (§4.6).
type Resumed struct {
	Initiator, Responder uint32 // session numbers
	Noise                []byte
}

// ParseResumed reads a RESUMED.
func ParseResumed(b []byte) (Resumed, error) {
	p, err := parseAnswer(b, PacketResumed, noiseIK2)
	return Resumed(p), err
}

// Append appends the packet.
func (p *Resumed) Append(b []byte) []byte {
	return (*answer)(p).append(b, PacketResumed)
}
