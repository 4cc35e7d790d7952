package window

const (
	// smallest is the size that every path passes; smaller packets that are lost
	// say nothing about sizes.
	smallest = 548
	// strikesOut is how often large packets are lost, while small ones arrive,
	// until that is no accident: 0.8 % of the time at 30 % random loss.
	strikesOut = 4
)

// blackHole watches for a path that passes small packets only.
type blackHole struct {
	strikes int    // round trips in which large packets were lost and none arrived
	size    int    // of the smallest of them
	from    uint64 // packets from here on count as another strike
}

func (b *blackHole) acked(size int) {
	if b.strikes > 0 && size >= b.size {
		b.strikes = 0
	}
}

func (b *blackHole) lost(number uint64, size int, next uint64) {
	if size <= smallest {
		return
	}
	if b.strikes == 0 || size < b.size {
		b.size = size
	}
	if b.strikes == 0 || number >= b.from {
		b.strikes++
		b.from = next
	}
}
