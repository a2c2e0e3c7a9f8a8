package session

import (
	"context"

	"github.com/wirecall/wirecall/internal/transport"
)

// housekeeping pings a silent peer, cuts a dead one, and gives up the streams
// that the garbage collector found lost. It runs on its timer's goroutine.
func (s *Session) housekeeping() {
	s.CancelUnreferenced()
	var t transport.Transport
	s.update(func(st *sessionState) {
		if st.attached {
			t = s.transport
		}
	})
	if s.active.Swap(false) || t == nil || s.takesData(t) {
		s.silentChecks = 0
	} else {
		s.silentChecks++
	}
	switch {
	case s.silentChecks >= 3 && !s.detach(t, errSilent):
		s.Fail(errSilent, transport.CloseTimeout)
		t.Close()
		return
	case s.silentChecks > 0 && s.silentChecks < 3:
		s.ping(t)
	}
	s.update(func(st *sessionState) {
		if !st.ended {
			s.keepAlive.Reset(s.Limits.IdleTimeout / 3)
		}
	})
}

// reads reports whether the peer has taken some, and not all, of what waits for it in
// the system since this was asked last: its answer to a ping is behind the rest.
func (s *Session) takesData(t transport.Transport) bool {
	taken, more := t.Progress()
	moved := taken != s.lastProgress
	s.lastProgress = taken
	return moved && more
}

// forgetLost gives up the streams that the garbage collector found lost.
func (s *Session) CancelUnreferenced() {
	s.mu.Lock()
	lost := s.state.unreferenced
	s.state.unreferenced = nil
	s.mu.Unlock()
	for _, rs := range lost {
		rs.Cancel(context.Canceled)
	}
}
