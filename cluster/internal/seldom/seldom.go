// Package seldom bounds how often something is done that others can cause, such as a line
// in a log.
package seldom

import (
	"sync"
	"time"
)

// A Seldom does something once in a while.
type Seldom struct {
	Every time.Duration

	mu   sync.Mutex
	last time.Time
}

// Do calls f, unless it has called one in the time of Every before.
func (s *Seldom) Do(f func()) {
	if s.due() {
		f()
	}
}

func (s *Seldom) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && time.Since(s.last) < s.Every {
		return false
	}
	s.last = time.Now()
	return true
}
