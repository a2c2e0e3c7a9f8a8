package session

import (
	"context"

	"github.com/wirecall/wirecall/internal/transport"
)

// checkPeer pings a silent peer, treats one that stays silent as cut off, and cancels
// unreferenced streams. It runs on the keep-alive timer's goroutine.
func (s *Session) checkPeer() {
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

// takesData reports whether the peer has received some, and not all, of what waits in
// the system's buffers since the last call. If so, its answer to a ping may be delayed
// by the rest.
func (s *Session) takesData(t transport.Transport) bool {
	taken, more := t.Progress()
	moved := taken != s.lastProgress
	s.lastProgress = taken
	return moved && more
}

// CancelUnreferenced cancels the streams that the garbage collector has found
// unreachable.
func (s *Session) CancelUnreferenced() {
	s.mu.Lock()
	lost := s.state.unreferenced
	s.state.unreferenced = nil
	s.mu.Unlock()
	for _, rs := range lost {
		rs.Cancel(context.Canceled)
	}
}
