package transport

import (
	"sync"
	"time"
)

// Whether a peer reads is measured by the bytes that it takes, not by the socket being
// writable: Linux reports a socket as writable only when a third of a send buffer of up
// to 4 MiB is free, which takes a minute on a slow connection.

// Progress implements Transport.
func (c *conn) Progress() (taken int64, more bool) {
	taken = c.written.Load()
	if c.unacked == nil {
		return taken, false
	}
	n := c.unacked()
	return taken - int64(n), n > 0
}

// A stallWatch closes a conn if the peer takes nothing for the stall time while a write
// waits.
type stallWatch struct {
	conn *conn

	mu    sync.Mutex
	timer *time.Timer // nil when the write is over
	taken int64
}

func (c *conn) watchStall() *stallWatch {
	s := &stallWatch{conn: c}
	s.taken, _ = c.Progress()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(c.stall, s.check)
	return s
}

// check runs on the timer's goroutine.
func (s *stallWatch) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken, _ := s.conn.Progress()
	switch {
	case s.timer == nil:
	case taken == s.taken:
		s.conn.fail(ErrNotReading)
		s.conn.Close()
	default:
		s.taken = taken
		s.timer.Reset(s.conn.stall)
	}
}

func (s *stallWatch) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
	s.timer = nil
}
