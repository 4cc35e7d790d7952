package link

import "slices"

// spans is a set of bytes of a message, or of numbers of calls: sorted half-open
// intervals that do not touch.
type spans []span

type span struct{ from, to uint64 }

const spanSize = 16 // bytes

// add enters [from, to) and reports whether anything of it was new.
func (s *spans) add(from, to uint64) bool {
	if from >= to {
		return false
	}
	list := *s
	if k := len(list); k > 0 && list[k-1].to == from { // the usual case: in order
		list[k-1].to = to
		return true
	}
	// The first that reaches to from, and the first that begins behind to.
	i, _ := slices.BinarySearchFunc(list, from, func(e span, v uint64) int { return compare(e.to, v) })
	j := i
	for j < len(list) && list[j].from <= to {
		j++
	}
	if i == j {
		*s = slices.Insert(list, i, span{from, to})
		return true
	}
	if list[i].from <= from && list[i].to >= to {
		return false
	}
	list[i] = span{min(list[i].from, from), max(list[j-1].to, to)}
	*s = slices.Delete(list, i+1, j)
	return true
}

// has reports whether all of [from, to) is in the set.
func (s spans) has(from, to uint64) bool {
	if from >= to {
		return true
	}
	i, _ := slices.BinarySearchFunc(s, from, func(e span, v uint64) int {
		if e.to <= v {
			return -1
		}
		return 0
	})
	return i < len(s) && s[i].from <= from && s[i].to >= to
}

// prefix returns how far the set covers from 0 without a gap.
func (s spans) prefix() uint64 {
	if len(s) == 0 || s[0].from != 0 {
		return 0
	}
	return s[0].to
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}
