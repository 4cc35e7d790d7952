package legacy

import "encoding/binary"

// Major types of CBOR, RFC 8949 section 3.1.
const (
	majorUint   = 0
	majorNegInt = 1
	majorBytes  = 2
	majorText   = 3
	majorArray  = 4
	majorMap    = 5
	majorTag    = 6
	majorSimple = 7
)

// Additional information, the low five bits of an initial byte.
const (
	info8 = 24 + iota
	info16
	info32
	info64
)

// Simple values and tags, RFC 8949 sections 3.3 and 3.4.
const (
	simpleFalse     = 20
	simpleTrue      = 21
	simpleNull      = 22
	simpleUndefined = 23

	tagPosBignum = 2
	tagNegBignum = 3
)

// appendHead writes the head of an item in its shortest form.
func appendHead(dst []byte, major byte, arg uint64) []byte {
	major <<= 5
	switch {
	case arg < info8:
		return append(dst, major|byte(arg))
	case arg <= 0xFF:
		return append(dst, major|info8, byte(arg))
	case arg <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(dst, major|info16), uint16(arg))
	case arg <= 0xFFFFFFFF:
		return binary.BigEndian.AppendUint32(append(dst, major|info32), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|info64), arg)
}

// head is the start of an item.
type head struct {
	major byte
	info  byte
	arg   uint64
}

// readHead reads the head that b begins with; n is 0 if b is too short, or
// the head is reserved or of indefinite length.
func readHead(b []byte) (h head, n int) {
	if len(b) == 0 {
		return head{}, 0
	}
	h = head{major: b[0] >> 5, info: b[0] & 31}
	if h.info < info8 {
		h.arg = uint64(h.info)
		return h, 1
	}
	if h.info > info64 {
		return head{}, 0
	}
	n = 1 + 1<<(h.info-info8)
	if len(b) < n {
		return head{}, 0
	}
	for _, c := range b[1:n] {
		h.arg = h.arg<<8 | uint64(c)
	}
	return h, n
}
