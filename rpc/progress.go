package rpc

import (
	"sync"
	"time"
)

// Whether a peer reads is judged by what it takes, not by when the socket can be
// written to again: Linux says that only when a third of a send buffer of up to 4 MiB
// is free, which a slow connection takes a minute for.

// progress returns how many bytes the peer has taken, as far as that can be known,
// and whether the system holds more of them for it.
func (w *wireConn) progress() (taken int64, more bool) {
	taken = w.written.Load()
	if w.unsent == nil {
		return taken, false
	}
	n := w.unsent()
	return taken - int64(n), n > 0
}

// A stallWatch closes a connection whose peer takes nothing for as long as a write may
// stall, while one is under way.
type stallWatch struct {
	w *wireConn

	mu    sync.Mutex
	timer *time.Timer // nil when the write is over
	taken int64
}

func (w *wireConn) watchStall() *stallWatch {
	s := &stallWatch{w: w}
	s.taken, _ = w.progress()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(w.stall, s.check)
	return s
}

// check runs on the timer's goroutine.
func (s *stallWatch) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken, _ := s.w.progress()
	switch {
	case s.timer == nil:
	case taken == s.taken:
		s.w.stalled()
	default:
		s.taken = taken
		s.timer.Reset(s.w.stall)
	}
}

func (s *stallWatch) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
	s.timer = nil
}
