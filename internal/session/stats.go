package session

// Stats is a snapshot of what a session holds; rpc.Stats documents the fields.
type Stats struct {
	CallsMade, CallsServed                  int
	StreamsSent, StreamsTaken               int
	QueuedBytes, BufferedBytes, ReplayBytes int
}

func (s *Session) Stats() (stats Stats) {
	s.outgoing.mu.Lock()
	stats.CallsMade = s.outgoing.open
	s.outgoing.mu.Unlock()
	stats.CallsServed = int(s.incoming.running.Load())
	stats.StreamsTaken = s.recv.count()
	stats.BufferedBytes = int(s.buffered.Load())
	s.queue.mu.Lock()
	stats.StreamsSent = len(s.queue.streams)
	stats.QueuedBytes = s.queue.messages.size() + s.queue.itemBytes
	s.queue.mu.Unlock()
	if r := s.resumption.Load(); r != nil {
		stats.ReplayBytes = r.sent.Held()
	}
	return stats
}
