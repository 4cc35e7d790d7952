package mdns

import (
	"slices"
	"sync"
)

// maxSuspects bounds the Reconfirm requests that wait for the loop.
const maxSuspects = 256

// mail carries requests to the loop without making the caller wait: the caller
// may hold a lock that the sink needs.
type mail struct {
	poke chan struct{} // capacity 1

	mu       sync.Mutex
	txt      []string
	newTXT   bool
	suspects []string
	network  bool
}

func (m *mail) update(txt []string) {
	m.mu.Lock()
	m.txt, m.newTXT = slices.Clone(txt), true
	m.mu.Unlock()
	m.wake()
}

func (m *mail) reconfirm(instance string) {
	m.mu.Lock()
	if len(m.suspects) < maxSuspects && !slices.Contains(m.suspects, instance) {
		m.suspects = append(m.suspects, instance)
	}
	m.mu.Unlock()
	m.wake()
}

func (m *mail) networkChanged() {
	m.mu.Lock()
	m.network = true
	m.mu.Unlock()
	m.wake()
}

func (m *mail) wake() {
	select {
	case m.poke <- struct{}{}:
	default:
	}
}

// letter is what had come in when the loop looked.
type letter struct {
	txt      []string
	newTXT   bool
	suspects []string
	network  bool
}

func (m *mail) take() letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := letter{m.txt, m.newTXT, m.suspects, m.network}
	m.txt, m.newTXT, m.suspects, m.network = nil, false, nil, false
	return l
}
