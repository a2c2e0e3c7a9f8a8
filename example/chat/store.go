package chat

import (
	"sync"
	"time"
)

// A Store keeps what was said. Its methods may be called by many at once.
type Store interface {
	// Append stores a message under the next id and returns it as stored.
	Append(m Message) (Message, error)

	// After returns the messages behind an id, oldest first, at most n.
	After(id int64, n int) ([]Message, error)
}

// A Memory is a Store that lasts as long as the process. The zero Memory is
// empty.
type Memory struct {
	mu       sync.RWMutex
	messages []Message // the one with id n at n-1
}

// Append stores a message.
func (s *Memory) Append(m Message) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m = s.numbered(m)
	s.messages = append(s.messages, m)
	return m, nil
}

// numbered is m as it is stored next, if nobody else appends.
func (s *Memory) numbered(m Message) Message {
	m.ID = int64(len(s.messages)) + 1
	if m.Time.IsZero() {
		m.Time = time.Now()
	}
	return m
}

// After returns messages that must not be changed: they are the store's own.
func (s *Memory) After(id int64, n int) ([]Message, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rest := s.messages[min(max(id, 0), int64(len(s.messages))):]
	return rest[:min(n, len(rest))], nil
}
