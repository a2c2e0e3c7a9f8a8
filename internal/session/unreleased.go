package session

import "fmt"

// Unreleased lists the calls, streams and buffers that a session has not released, "" if
// there are none: for tests of leaks.
func Unreleased(s *Session) (text string) {
	s.outgoing.mu.Lock()
	defer s.outgoing.mu.Unlock()
	s.incoming.mu.Lock()
	defer s.incoming.mu.Unlock()
	s.notifications.mu.Lock()
	defer s.notifications.mu.Unlock()
	s.recv.mu.Lock()
	defer s.recv.mu.Unlock()
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	waiting, parked := s.workers.Stats()
	for _, held := range []struct {
		what string
		n    int
	}{
		{"in flight", s.work.count()},
		{"calls", s.outgoing.open.len()}, {"incoming", s.incoming.open.len()}, {"handlers", int(s.incoming.running.Load())},
		{"receive streams", s.recv.table.len()}, {"send streams", s.queue.streams.len()},
		{"in the ready list", len(s.queue.ready)}, {"bytes of items", s.queue.itemBytes}, {"bytes to send", s.queue.messages.size()},
		{"waiting for room", len(s.queue.roomWaiters) + len(s.queue.itemWaiters)}, {"waiting for the call limit", len(s.outgoing.waiters)},
		{"bytes buffered", int(s.buffered.Load())}, {"notifications", len(s.notifications.queue)},
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
func ProducerBuffers(s *Session) (sizes []int) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	for ss := range s.queue.streams.all() {
		sizes = append(sizes, cap(ss.scratch))
	}
	return sizes
}

// AvailableCalls returns how many more calls the peer accepts now.
func AvailableCalls(s *Session) int {
	s.outgoing.mu.Lock()
	defer s.outgoing.mu.Unlock()
	return s.outgoing.free
}
