package legacy

import (
	"strconv"
	"unicode/utf8"
)

// AppendResponse appends the reply with a result, JSON in the dialect, to the
// request whose raw id is given. A reply over [MaxPayload] is replaced by the
// error 1.1.1 sends then. nil, also for a dst that was not, means that no
// reply fits, as the id alone is too long.
func AppendResponse(dst, id, result []byte) []byte {
	const head, mid, tail = `{"type": "response", "id": `, `, "result": `, `}`
	id, result = orElse(id, jsonNull), orElse(result, jsonNull)
	size := len(head) + len(id) + len(mid) + len(result) + len(tail)
	if size > MaxPayload {
		return AppendError(dst, id, "PeerLinkError", tooLargeMessage(size))
	}
	dst = append(append(dst, head...), id...)
	dst = append(append(dst, mid...), result...)
	return append(dst, tail...)
}

// tooLargeMessage is 1.1.1's, for a reply of size bytes in all.
func tooLargeMessage(size int) string {
	return "RPC result too large (" + strconv.Itoa(size) + " bytes encoded); keep return value under MAX_SAFE_UDP_PAYLOAD (" +
		strconv.Itoa(MaxPayload) + ")"
}

// AppendError appends the reply with an error to the request whose raw id is
// given: typ is an exception class, message its text. It keeps to
// [MaxPayload] by cutting the message, and typ if need be, between
// characters. nil, also for a dst that was not, means that the id alone is
// too long for any reply.
func AppendError(dst, id []byte, typ, message string) []byte {
	const head, mid = `{"type": "error", "id": `, `, "error": {"type": `
	const sep, tail = `, "message": `, `}}`
	id = orElse(id, jsonNull)
	room := MaxPayload - len(head) - len(id) - len(mid) - len(sep) - len(tail)
	if room < len(`""""`) {
		return nil
	}
	dst = append(append(dst, head...), id...)
	dst = append(dst, mid...)
	start := len(dst)
	dst = appendCut(dst, typ, room-len(`""`))
	room -= len(dst) - start
	dst = appendCut(append(dst, sep...), message, room)
	return append(dst, tail...)
}

// appendCut writes as many characters of s as fit into a JSON string of room
// bytes, quotes included, which is two at least.
func appendCut(dst []byte, s string, room int) []byte {
	limit := len(dst) + room - len(`"`)
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		r, n := wtf8Rune([]byte(s[i:min(i+utf8.UTFMax, len(s))]))
		longer := appendEscaped(dst, r)
		if len(longer) > limit {
			break
		}
		dst = longer
		i += max(n, 1)
	}
	return append(dst, '"')
}
