// Package signal tells goroutines that something has changed.
package signal

import "sync"

// A Signal tells any number of goroutines that something has changed. One that
// calls Next before it looks at what there is misses nothing: whatever it did
// not see closes the channel. The zero Signal is ready for use.
type Signal struct {
	mu sync.Mutex
	ch chan struct{} // nil until somebody waits
}

// Next returns a channel that the next Fire closes.
func (s *Signal) Next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

// Fire wakes all that wait.
func (s *Signal) Fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
