package session

import (
	"iter"
	"maps"
)

// Stats is a snapshot of what a session holds; rpc.Stats documents the fields.
type Stats struct {
	CallsMade, CallsServed                  int
	StreamsSent, StreamsTaken               int
	QueuedBytes, BufferedBytes, ReplayBytes int
}

func (s *Session) Stats() (stats Stats) {
	s.outgoing.mu.Lock()
	stats.CallsMade = s.outgoing.open.len()
	s.outgoing.mu.Unlock()
	stats.CallsServed = int(s.incoming.running.Load())
	stats.StreamsTaken = s.recv.count()
	stats.BufferedBytes = int(s.buffered.Load())
	s.queue.mu.Lock()
	stats.StreamsSent = s.queue.streams.len()
	stats.QueuedBytes = s.queue.messages.size() + s.queue.itemBytes
	s.queue.mu.Unlock()
	if r := s.resumption.Load(); r != nil {
		stats.ReplayBytes = r.sent.Held()
	}
	return stats
}

// InFlight is what keeps a session from being idle.
type InFlight struct {
	Calls, Notifications []string   // the methods of those of the peer
	Sent                 []Producer // of the streams that this side produces
	Made, Received       int        // how many calls this side has made, and how many streams the peer produces
}

func (s *Session) InFlight() InFlight {
	f := InFlight{Calls: s.dialect.unanswered(), Notifications: s.notifications.methods(), Received: s.recv.count()}
	s.queue.mu.Lock()
	for ss := range s.queue.streams.all() {
		f.Sent = append(f.Sent, ss.producer)
	}
	s.queue.mu.Unlock()
	s.outgoing.mu.Lock()
	f.Made = s.outgoing.open.len()
	s.outgoing.mu.Unlock()
	return f
}

// unanswered implements dialect.
func (w *wirecall) unanswered() []string {
	c := &w.session.incoming
	c.mu.Lock()
	defer c.mu.Unlock()
	return methodsOf(c.open.all())
}

// unanswered implements dialect.
func (p *plain) unanswered() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return methodsOf(maps.Values(p.open))
}

func methodsOf(calls iter.Seq[*Incoming]) (names []string) {
	for in := range calls {
		names = append(names, in.Method.Name)
	}
	return names
}
