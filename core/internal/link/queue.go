package link

// queue is a first-in-first-out list of messages that keeps its memory.
type queue struct {
	items []*Message
	head  int
}

func (q *queue) push(m *Message) {
	if q.head > 0 && q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	q.items = append(q.items, m)
}

func (q *queue) empty() bool { return q.head == len(q.items) }

// first returns the oldest, which must exist.
func (q *queue) first() *Message { return q.items[q.head] }

func (q *queue) pop() *Message {
	m := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	if q.head >= 64 && q.head*2 >= len(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return m
}

func (q *queue) clear(f func(*Message)) {
	for !q.empty() {
		f(q.pop())
	}
}
