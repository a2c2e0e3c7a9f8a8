package session

import (
	"sync"
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

// A lifecycle owns the phase of a session, and its transport.
type lifecycle struct {
	session    *Session
	transport  transport.Transport // attach replaces it, while nothing reads or flushes
	work       work
	drainBegun chan struct{} // closed when this side begins to drain

	mu           sync.Mutex
	phase        phase
	peerDraining bool          // the peer has sent $/goaway
	moved        bool          // the peer makes no new calls, except for calls of this side
	cause        error         // why the session has ended
	readerDone   chan struct{} // closed when the reader of the transport returns; nil if there is none
	deadline     time.Time     // when a draining session ends in any case; zero for never

	wait           *sessionWait // its entry in the Registry; nil unless it is detached
	unwatchContext func() bool  // cancels the watch of the last transport's context, while detached; may be nil
	drainTimer     *time.Timer  // bounds how long the peer may ignore a shutdown
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
func (l *lifecycle) addWork(n int) {
	if l.work.Add(int64(n)) >= workWatched {
		l.workChanged()
	}
}

// watchWork makes each change of the work from now on call workChanged.
func (l *lifecycle) watchWork() {
	l.work.Or(workWatched)
	l.workChanged()
}

// workChanged acts on the work in flight: it ends a draining session that has become
// idle and whose peer has moved, and informs the registry and the dialect.
func (l *lifecycle) workChanged() {
	l.mu.Lock()
	idle := l.work.count() == 0
	if l.wait != nil {
		l.session.Registry.recount(l.wait)
	}
	done := l.phase == draining && l.moved && idle
	l.session.dialect.workChanged(idle)
	l.mu.Unlock()
	if done {
		l.session.Fail(ErrDrained, transport.CloseShutdown)
	}
}

// Start activates the session and starts its reader.
func (l *lifecycle) Start() {
	l.Activate()
	go l.session.Read(l.transport)
}

// Activate starts the keep-alive timer and marks the session as attached. A call of Read
// or RefuseStart must follow.
func (l *lifecycle) Activate() {
	l.mu.Lock()
	if l.phase == detached {
		l.phase, l.readerDone = attached, make(chan struct{})
	}
	l.mu.Unlock()
	if l.session.Limits.IdleTimeout > 0 {
		l.setTimer(&l.session.keepAlive.timer, l.session.keepAlive.check, l.session.Limits.IdleTimeout/3)
	}
}

// RefuseStart ends an activated session in place of Read.
func (l *lifecycle) RefuseStart(cause error) {
	l.session.endAndClose(l.transport, cause)
	l.stopReading()
}

// stopReading records that the reader has returned.
func (l *lifecycle) stopReading() {
	l.mu.Lock()
	over := l.readerDone != nil && l.phase == ended // it is nil if the session had ended before it was activated
	if l.readerDone != nil {
		close(l.readerDone)
		l.readerDone = nil
	}
	l.mu.Unlock()
	if over {
		close(l.session.ReaderDone)
	}
}

// setTimer sets *at to a timer that runs f after d. If the session has ended, the timer
// does not start.
func (l *lifecycle) setTimer(at **time.Timer, f func(), d time.Duration) {
	t := stoppedTimer(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	if *at = t; l.phase != ended {
		t.Reset(d)
	}
}

// HasEnded reports whether the session has ended.
func (l *lifecycle) HasEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase == ended
}

// Transport returns the latest transport.
func (l *lifecycle) Transport() transport.Transport {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.transport
}

// endCause returns why the session has ended, from the beginning of its end on; nil
// before.
func (l *lifecycle) endCause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}
