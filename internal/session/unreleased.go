package session

import "fmt"

// Unreleased lists the calls, streams and buffers that a session has not released, "" if
// there are none: for tests of leaks.
func (s *Session) Unreleased() (text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	waiting, parked := s.workers.Stats()
	for _, held := range []struct {
		what string
		n    int
	}{
		{"calls", len(s.state.calls)}, {"incoming", len(s.state.incoming)}, {"handlers", s.state.handlers},
		{"receive streams", len(s.state.recvStreams)}, {"send streams counted", s.state.sendStreams}, {"send streams", len(s.queue.streams)},
		{"in the ready list", len(s.queue.ready)}, {"bytes of items", s.queue.itemBytes}, {"bytes to send", s.queue.messages.size()},
		{"waiting for room", len(s.queue.roomWaiters) + len(s.queue.itemWaiters)}, {"waiting for the call limit", len(s.state.callLimit.waiters)},
		{"bytes buffered", int(s.buffered.Load())}, {"notifications", len(s.state.notifications.queue)},
		{"calls to run", waiting}, {"workers", parked},
	} {
		if held.n != 0 {
			text += fmt.Sprintf("%d %s; ", held.n, held.what)
		}
	}
	if s.queue.flushing {
		text += "flushing; "
	}
	return text
}

// ProducerBuffers returns the size in bytes of the buffer of each open send stream's
// producer: for tests of what idle streams cost.
func (s *Session) ProducerBuffers() (sizes []int) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	for _, ss := range s.queue.streams {
		sizes = append(sizes, cap(ss.scratch))
	}
	return sizes
}

// AvailableCalls returns how many more calls the peer accepts now.
func (s *Session) AvailableCalls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.callLimit.free
}
