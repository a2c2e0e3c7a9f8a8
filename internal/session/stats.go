package session

// Stats is a snapshot of what a session holds; rpc.Stats documents the fields.
type Stats struct {
	CallsMade, CallsServed                  int
	StreamsSent, StreamsTaken               int
	QueuedBytes, BufferedBytes, ReplayBytes int
}

func (s *Session) Stats() (stats Stats) {
	s.mu.Lock()
	stats.CallsMade = len(s.state.calls)
	stats.CallsServed = s.state.handlers
	stats.StreamsSent = s.state.sendStreams
	stats.StreamsTaken = len(s.state.recvStreams)
	s.mu.Unlock()
	stats.BufferedBytes = int(s.buffered.Load())
	s.queue.mu.Lock()
	stats.QueuedBytes = s.queue.messages.size() + s.queue.itemBytes
	s.queue.mu.Unlock()
	if r := s.resumption.Load(); r != nil {
		stats.ReplayBytes = r.sent.Held()
	}
	return stats
}
