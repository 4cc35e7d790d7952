package netio

// A LeadConn is a Conn that a thread which waits for one answer can read itself, in
// place of the reader. To be woken by the kernel for the datagram costs half of
// what it costs to be woken by a reader that was woken for it.
//
// The reader stands aside while somebody leads, and for a moment afterwards, since
// who leads once mostly does so again.
type LeadConn interface {
	Conn
	// Lead makes the caller the one that reads; false if somebody else is. Each
	// success is followed by Unlead.
	Lead() bool
	// LeadRead is ReadBatch for who leads. It returns os.ErrDeadlineExceeded at least
	// every 5 ms. What it waits for may also come another way, to the reader before
	// that stood aside; then a datagram of no meaning wakes it.
	LeadRead(b *Batch) error
	// Unlead lets others read: the reader at once if resume, else after a moment in
	// which somebody may lead again.
	Unlead(resume bool)
}
