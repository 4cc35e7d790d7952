package peerlink

import "errors"

// Limits on the TXT record of a peer. Ours has 10 strings and 300 bytes.
const (
	maxTXTBytes   = 4096
	maxTXTStrings = 64
)

var (
	errTXTSize = errors.New("TXT record too large")
	errTXTForm = errors.New("TXT record cut short")
)

// parseTXT splits the wire form of a TXT record (RFC 6763 section 6): strings,
// each behind a byte with its length. Empty strings are skipped (section 6.1).
func parseTXT(b []byte) ([]string, error) {
	if len(b) > maxTXTBytes {
		return nil, errTXTSize
	}
	var list []string
	for len(b) > 0 {
		n := int(b[0])
		if n > len(b)-1 {
			return nil, errTXTForm
		}
		if n > 0 {
			if len(list) == maxTXTStrings {
				return nil, errTXTSize
			}
			list = append(list, string(b[1:1+n]))
		}
		b = b[1+n:]
	}
	return list, nil
}

// appendTXT appends the wire form of list to b. Strings that have none, because
// they are empty or longer than 255 bytes, are left out.
func appendTXT(b []byte, list []string) []byte {
	for _, s := range list {
		if len(s) > 0 && len(s) <= 255 {
			b = append(b, byte(len(s)))
			b = append(b, s...)
		}
	}
	return b
}
