package legacy

import "bytes"

// dedupe drops the members of the object just written whose keys come again,
// in the way of a dict: the last value, in the first one's place. It gives
// the count of those left.
func (w *cborWriter) dedupe(ms []member) int {
	if len(ms) <= 16 && !w.fewRepeat(ms) {
		return len(ms)
	}
	last := make(map[string]member, len(ms))
	for _, m := range ms {
		last[string(w.dst[m.key:m.value])] = m
	}
	left := len(last)
	if left < len(ms) {
		w.rewrite(ms, last)
	}
	return left
}

// fewRepeat compares the keys each with each, which for a few is faster than
// a map and needs no memory.
func (w *cborWriter) fewRepeat(ms []member) bool {
	for i, a := range ms {
		for _, b := range ms[:i] {
			if bytes.Equal(w.dst[a.key:a.value], w.dst[b.key:b.value]) {
				return true
			}
		}
	}
	return false
}

// rewrite writes the members anew, each key where it came first, with its
// last value. It uses last up.
func (w *cborWriter) rewrite(ms []member, last map[string]member) {
	old := bytes.Clone(w.dst[ms[0].key:])
	w.dst = w.dst[:ms[0].key]
	base := ms[0].key
	for _, m := range ms {
		key := old[m.key-base : m.value-base]
		if l, ok := last[string(key)]; ok {
			w.dst = append(append(w.dst, key...), old[l.value-base:l.end-base]...)
			delete(last, string(key))
		}
	}
}
