package seal

const (
	windowSize = 2048
	// One word more than needed for the size, as the window seldom begins at the
	// edge of a word (RFC 6479).
	windowWords = windowSize/64 + 1
)

// A Window remembers which packet numbers were accepted, of the 2048 up to the
// highest. Lower ones count as seen. The zero value has accepted none.
type Window struct {
	top  uint64 // highest accepted
	used bool   // anything was
	seen [windowWords]uint64
}

// Fresh reports whether Accept would take n. It changes nothing, so that it may
// be asked before the packet has verified.
func (w *Window) Fresh(n uint64) bool {
	switch {
	case !w.used || n > w.top:
		return true
	case w.top-n >= windowSize:
		return false
	default:
		return w.seen[n/64%windowWords]&(1<<(n%64)) == 0
	}
}

// Accept takes n, and reports false if it was seen before or is too old. It is
// for numbers of packets that have verified only.
func (w *Window) Accept(n uint64) bool {
	if !w.Fresh(n) {
		return false
	}
	if !w.used || n > w.top {
		w.advance(n)
	}
	w.seen[n/64%windowWords] |= 1 << (n % 64)
	return true
}

// advance makes n the highest and clears the words that come into use.
func (w *Window) advance(n uint64) {
	word := w.top / 64
	for range min(n/64-word, windowWords) {
		word++
		w.seen[word%windowWords] = 0
	}
	w.top, w.used = n, true
}
