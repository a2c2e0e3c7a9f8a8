package session

import (
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// A phase is where a session is in its life-cycle:
//
//	           cut                    expire
//	attached ----------> detached ------------------+
//	 |   ^                  |                       |
//	 |   +-- activate, -----+                       |
//	 |       attach                                 |
//	 | Goaway                                       v
//	 +-----> draining -- moved and idle, cut ----> ended
//	 |                                              ^
//	 +-- close, violation, goodbye of the peer -----+
//
// detached: it has no transport that works. A session begins so, until it is activated.
// Later it waits for attach, for at most the resumption window. attached: it has a
// transport and a reader. draining: this side has sent $/goaway; the session ends once
// the peer has answered $/moved and nothing is in flight. ended: every waiter has been
// released; there is no way back.
//
// A session that cannot be resumed goes from attached to ended if its transport fails,
// and so does one that drains, on either side. A detached session that is asked to drain
// ends at once. A plain client, which has no $/moved, counts as moved once it has been
// idle for idleGrace, and after plainDrainTimeout at the latest.
type phase uint8

const (
	detached phase = iota
	attached
	draining
	ended
)

// A lifecycle is the part of a session that changes with its phase. Session.mu guards
// it.
type lifecycle struct {
	phase        phase
	cause        error         // why the session has ended
	readerDone   chan struct{} // closed when the reader of the transport returns; nil if there is none
	peerDraining bool          // the peer has sent $/goaway
	moved        bool          // the peer makes no new calls, except for calls of this side
	deadline     time.Time     // when a draining session ends in any case; zero for never

	wait            *sessionWait // its entry in the Registry; nil unless it is detached
	unwatchContext  func() bool  // cancels the watch of the last transport's context, while detached; may be nil
	drainTimer      *time.Timer  // bounds how long the peer may ignore a shutdown
	credentialTimer *time.Timer  // closes the transport when the credentials expire; nil if they do not
}

// A work counts what is in flight: calls, handlers, streams, and functions of CleanUp;
// all queued notifications count as one. Above the count it has the flag workWatched.
type work struct{ atomic.Int64 }

// workWatched makes every change of the count call Session.workChanged: the session
// drains, is detached, or has a reader that waits until it is idle.
const workWatched = 1 << 32

// count returns how many things are in flight.
func (w *work) count() int { return int(w.Load() & (workWatched - 1)) }

// addWork adds n, which may be negative, to what is in flight. The caller must hold no
// lock. What replaces something must be added before that is removed, or the session
// may end in between.
func (s *Session) addWork(n int) {
	if s.work.Add(int64(n)) >= workWatched {
		s.workChanged()
	}
}

// watchWork makes each change of the work from now on call workChanged.
func (s *Session) watchWork() {
	s.work.Or(workWatched)
	s.workChanged()
}

// workChanged acts on the work in flight: it ends a draining session that has become
// idle and whose peer has moved, and tells the registry and the plain dialect.
func (s *Session) workChanged() {
	s.mu.Lock()
	idle := s.work.count() == 0
	if s.wait != nil {
		s.Registry.recount(s.wait)
	}
	done := s.phase == draining && s.moved && idle
	if s.plain != nil {
		s.plain.watchIdle(idle)
	}
	s.mu.Unlock()
	if done {
		s.Fail(ErrDrained, transport.CloseShutdown)
	}
}

// Start activates the session and starts its reader.
func (s *Session) Start() {
	s.Activate()
	go s.Read(s.transport)
}

// Activate starts the keep-alive timer and marks the session as attached. A call of Read
// or RefuseStart must follow.
func (s *Session) Activate() {
	s.mu.Lock()
	if s.phase == detached {
		s.phase, s.readerDone = attached, make(chan struct{})
	}
	s.mu.Unlock()
	if s.Limits.IdleTimeout > 0 {
		s.setTimer(&s.keepAlive.timer, s.checkPeer, s.Limits.IdleTimeout/3)
	}
}

// RefuseStart ends an activated session in place of Read.
func (s *Session) RefuseStart(cause error) {
	s.endAndClose(s.transport, cause)
	s.stopReading()
}

// stopReading records that the reader has returned.
func (s *Session) stopReading() {
	s.mu.Lock()
	over := s.readerDone != nil && s.phase == ended // it is nil if the session had ended before it was activated
	if s.readerDone != nil {
		close(s.readerDone)
		s.readerDone = nil
	}
	s.mu.Unlock()
	if over {
		close(s.ReaderDone)
	}
}

// setTimer sets *at to a timer that runs f after d. If the session has ended, the timer
// does not start.
func (s *Session) setTimer(at **time.Timer, f func(), d time.Duration) {
	t := stoppedTimer(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	if *at = t; s.phase != ended {
		t.Reset(d)
	}
}
