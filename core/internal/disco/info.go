package disco

import (
	"crypto/md5"
	"encoding/hex"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The TXT keys of an announcement (RFC 6763 §6). A 1.x node writes the first
// five; what it does not know it skips.
const (
	keyNode     = "node"
	keyPort     = "port"
	keyTCPPort  = "tcp_port"
	keyVersion  = "version"
	keyInstance = "instance_id"
	keyNative   = "pl" // versions of the native protocol, joined by commas
	keyRealm    = "rt" // realm tag
	keyBeat     = "hb" // changes so that 1.x nodes do not forget us
)

// MaxName is the longest node name in bytes: it is one DNS label (RFC 1035 §2.3.4).
const MaxName = 63

// An ID tells nodes of one name apart. It is new with each start of a node.
type ID [16]byte

// Info is what the TXT record of a node says.
type Info struct {
	Name    string
	ID      ID
	TCPPort uint16
	Version string
	Native  Versions
	Realm   string // tag of its realm; "" is the open one
	Legacy  bool   // a 1.x node: JSON datagrams of at most 1200 bytes, and it forgets who does not change
}

// TXT returns the strings that announce i; beat is the heartbeat's count.
func (i Info) TXT(udpPort uint16, beat uint64) []string {
	txt := []string{
		keyNode + "=" + i.Name,
		keyPort + "=" + strconv.Itoa(int(udpPort)),
		keyTCPPort + "=" + strconv.Itoa(int(i.TCPPort)),
		keyVersion + "=" + i.Version,
		keyInstance + "=" + i.ID.UUID(),
		keyNative + "=" + i.Native.String(),
		keyBeat + "=" + strconv.FormatUint(beat, 10),
	}
	if i.Realm != "" {
		txt = append(txt, keyRealm+"="+i.Realm)
	}
	return txt
}

// Versions is a set of versions of the native protocol, 1 to 63.
type Versions uint64

// VersionsOf makes a set; what is out of range is left out.
func VersionsOf(list ...uint8) (v Versions) {
	for _, n := range list {
		if n > 0 && n < 64 {
			v |= 1 << n
		}
	}
	return v
}

// Highest returns the highest version in both sets, 0 if there is none.
func (v Versions) Highest(other Versions) uint8 {
	return uint8(max(0, bits.Len64(uint64(v&other))-1))
}

// String returns the versions joined by commas, as TXT records have them.
func (v Versions) String() string {
	var out []string
	for n := uint8(1); n < 64; n++ {
		if v&VersionsOf(n) != 0 {
			out = append(out, strconv.Itoa(int(n)))
		}
	}
	return strings.Join(out, ",")
}

func parseVersions(text string) (v Versions) {
	for part := range strings.SplitSeq(text, ",") {
		if n, err := strconv.ParseUint(part, 10, 8); err == nil {
			v |= VersionsOf(uint8(n))
		}
	}
	return v
}

// infoOf reads a sighting. A record without a name stands for the instance, one
// without an ID gets an ID that is the same at each sighting.
func infoOf(s Sighting) (Info, bool) {
	info := Info{Name: s.Instance, Legacy: true}
	hasID := false
	for _, txt := range s.TXT {
		key, value, _ := strings.Cut(txt, "=")
		switch key {
		case keyNode:
			info.Name = value
		case keyVersion:
			info.Version = value
		case keyTCPPort:
			if p, err := strconv.ParseUint(value, 10, 16); err == nil {
				info.TCPPort = uint16(p)
			}
		case keyInstance:
			info.ID, hasID = parseID(value), true
		case keyNative:
			info.Legacy, info.Native = false, parseVersions(value)
		case keyRealm:
			info.Realm = value
		}
	}
	if renamed(s.Instance, info.Name) {
		info.Name = s.Instance
	}
	if !hasID {
		info.ID = derivedID(s.Instance)
	}
	if info.TCPPort == 0 && len(s.Addrs) > 0 {
		info.TCPPort = s.Addrs[0].Port() // as 1.x does
	}
	return info, ValidName(info.Name) && len(s.Addrs) > 0
}

// renamed tells an instance that was given a number because its name was taken
// (RFC 6762 §9), by a backend that could not change the TXT record with it.
func renamed(instance, node string) bool {
	number, ok := strings.CutPrefix(instance, node+" (")
	if !ok || !strings.HasSuffix(number, ")") {
		return false
	}
	_, err := strconv.ParseUint(strings.TrimSuffix(number, ")"), 10, 16)
	return err == nil
}

// ValidName reports whether a node can have this name: 1 to 63 bytes of UTF-8
// without control characters.
func ValidName(name string) bool {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// parseID takes a UUID in any spelling, and anything else by its hash.
func parseID(s string) ID {
	var id ID
	if b, err := hex.DecodeString(strings.ReplaceAll(s, "-", "")); err == nil && len(b) == len(id) {
		copy(id[:], b)
		return id
	}
	return derivedID(s)
}

// derivedID need not resist anybody: discovery is a hint.
func derivedID(s string) ID { return md5.Sum([]byte("peerlink instance " + s)) }

// UUID returns the text form of RFC 9562.
func (id ID) UUID() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
