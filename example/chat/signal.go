package chat

import "sync"

// A signal tells any number of goroutines that something has changed. One that
// takes next before it looks at what there is misses nothing: whatever it did
// not see closes the channel.
type signal struct {
	mu sync.Mutex
	ch chan struct{} // nil until somebody waits
}

func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
