package rpc

import (
	"context"
	"time"
)

// drain takes nothing new on; the connection ends when it is idle.
func (c *session) drain() {
	c.update(func(s *connState) {
		if !s.draining {
			s.draining = true
			close(c.drains)
		}
	})
}

// Draining is closed when the server that serves the call of ctx shuts down.
// Shutdown waits for streams: a handler whose stream would never end selects on
// this as well, and ends it, with an error that tells the caller to come again.
// One that its clients resume after a cursor need not: they move away at once.
// Outside of handlers it is nil, and so never ready.
func Draining(ctx context.Context) <-chan struct{} {
	if c, ok := ctx.Value(sessionKey{}).(*session); ok {
		return c.drains
	}
	return nil
}

// goaway is drain with a word to the peer, who has until the deadline, a zero
// one being none, to let what runs come to its end. A session that has no socket
// ends at once: nobody lets its client in any more.
func (c *session) goaway(deadline time.Time) {
	c.expire(errDrained)
	if c.greeted.Load() {
		var ms []int64
		if !deadline.IsZero() {
			ms = append(ms, max(time.Until(deadline).Milliseconds(), 0))
		}
		c.post(c.form.AppendControl(nil, methodGoaway, ms...))
	}
	c.drain()
}

// Shutdown ends the server without losing work: connections and calls that come
// from now on are refused, as not having run; calls and streams that are under
// way may finish; each connection ends when it is idle. When ctx ends first, the
// rest fails with CodeUnavailable and Shutdown returns ctx's cause. A session that
// has no socket, or loses it now, ends with what it has in flight.
//
// Stop the http.Server as well, for its listeners and for POST requests.
func (s *Server) Shutdown(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	conns := s.stop()
	for _, c := range conns {
		c.goaway(deadline)
	}
	for _, c := range conns {
		select {
		case <-c.torn:
		case <-ctx.Done():
			s.endAll(conns, errDrained, closeShutdown)
			return context.Cause(ctx)
		}
	}
	return nil
}

// Close ends the server and every connection at once.
func (s *Server) Close() error {
	s.endAll(s.stop(), ErrClosed, closeShutdown)
	return nil
}

// endAll ends connections side by side and waits until their readers have gone.
func (s *Server) endAll(conns []*session, cause error, code closeCode) {
	for _, c := range conns {
		c.fail(cause, code)
	}
	for _, c := range conns {
		c.awaitTorn()
	}
}

// stop lets no connection in any more and returns those that are there.
func (s *Server) stop() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	conns := make([]*session, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}
