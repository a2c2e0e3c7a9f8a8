package session

import (
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// sessionState is the part of a session that calls, streams and its life-cycle share.
// Session.mu guards it.
//
// The life-cycle of a session that can be resumed:
//
//	           cut                    expire
//	attached ----------> detached ------------------+
//	 |   ^                  |                       |
//	 |   +---- attach ------+                       |
//	 | Goaway                                       v
//	 +-----> draining -- moved and idle, cut ----> ended
//	 |                                              ^
//	 +-- close, violation, goodbye of the peer -----+
//
// attached: the session has a transport and a reader. detached: its transport has
// failed; it waits for attach at most as long as the resumption window. draining: this
// side has sent $/goaway; the session ends once the peer has answered $/moved and
// nothing is in flight. ended: every waiter has been released; there is no way back.
//
// A session that cannot be resumed goes from attached to ended if its transport fails,
// and so does one that drains, on either side. A detached session that is asked to drain
// ends at once. A plain client, which has no $/moved, counts as moved once it has been
// idle for idleGrace, and after plainDrainTimeout at the latest.
type sessionState struct {
	ended           bool          // set once, by finish
	cause           error         // why the session has ended
	expiredCause    error         // why a detached session ends; attach fails from here on
	attached        bool          // the session has a transport
	readerDone      chan struct{} // closed when the reader of the transport returns; nil if there is none
	wait            *sessionWait  // its entry in the Registry; nil unless it is detached
	unwatchContext  func() bool   // cancels the watch of the last transport's context, while detached; may be nil
	credentialTimer *time.Timer   // closes the transport when the credentials expire; nil if they do not
	drainState

	calls      map[uint64]*OutgoingCall // unanswered calls to the peer, by id
	recycled   []*OutgoingCall
	lastID     uint64    // the last id used
	lastHandle uint64    // the last handle used
	callLimit  callLimit // how many calls the peer accepts

	peerStreams int // how many send streams the peer accepts

	incoming      map[string]*Incoming // unanswered calls from the peer, by callKeyOf their id
	waitingCalls  []*Incoming          // calls from a plain peer that have not started, in order
	handlers      int                  // handlers that run, including those of cancelled calls
	whenIdle      chan struct{}        // closed when the session is idle; nil unless serveRest waits
	cleanups      int                  // functions of CleanUp that run
	notifications notificationQueue
	recvStreams   map[uint64]*RecvStream // by handle, tombstones included
	unreferenced  []*RecvStream          // streams that the garbage collector has found unreachable
	sendStreams   int                    // how many are open
	resultStreams int                    // how many of sendStreams belong to results
}

// idle reports whether no call, stream, handler or notification is in flight.
func (st *sessionState) idle() bool {
	return len(st.calls) == 0 && st.handlers == 0 && st.cleanups == 0 && len(st.recvStreams) == 0 && st.sendStreams == 0 && st.notifications.idle()
}

// update calls f with the state, under mu, and then acts on the result: it ends a
// draining session that has become idle and whose peer has moved, and closes whenIdle.
func (s *Session) update(f func(*sessionState)) {
	s.mu.Lock()
	f(&s.state)
	if w := s.state.wait; w != nil {
		s.Registry.recount(w)
	}
	done := s.state.draining && s.state.moved && !s.state.ended && s.state.idle()
	if s.state.idleTimer != nil {
		s.state.watchIdle()
	}
	if s.state.whenIdle != nil && s.state.idle() {
		close(s.state.whenIdle)
		s.state.whenIdle = nil
	}
	s.mu.Unlock()
	if done {
		s.Fail(ErrDrained, transport.CloseShutdown)
	}
}
