package session

import (
	"context"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// drainState is the part of a session's state that $/goaway and $/moved change, on
// either side.
type drainState struct {
	draining     bool      // this side has sent $/goaway, or a plain client is being drained
	deadline     time.Time // when the session ends in any case; zero for never
	moved        bool      // the peer makes no new calls, except for calls of this side
	highestTaken int64     // the highest id among the requests from the peer
	refusesNew   bool      // requests with an id above highestTaken are refused

	idleTimer     *time.Timer // runs refuseNew once a plain client is idle; nil otherwise
	idleTimerRuns bool        // idleTimer is running

	peerDraining bool  // the peer has sent $/goaway
	lastAccepted int64 // the highest id of a request that the draining peer accepts
	movesStreams bool  // MoveStreams has been called
}

// movedTimeout bounds how long a peer may take to answer $/goaway with $/moved.
const movedTimeout = 10 * time.Second

// Goaway begins to drain the session: it asks the peer to take new work elsewhere. What
// the peer has sent by then, and what runs, may complete until the deadline, or without
// a bound if that is zero. A detached session ends at once, since this server would not
// accept its client.
func (s *Session) Goaway(deadline time.Time) {
	speak, detached, plain := false, false, false
	s.update(func(st *sessionState) {
		switch {
		case st.ended || st.draining:
		case !st.attached && s.resumption.Load() != nil:
			st.expiredCause, detached = ErrDrained, true
		default:
			st.draining, st.deadline = true, deadline
			plain = s.Mode != ModeWirecall
			speak = !plain
			close(s.draining)
		}
	})
	switch {
	case detached:
		s.End(ErrDrained)
	case plain:
		s.awaitIdle()
	case speak:
		s.sendGoaway()
	}
}

// endWhenIdle makes the session end once it is idle, without a message to the peer. New
// requests are refused.
func (s *Session) endWhenIdle() {
	s.update(func(st *sessionState) { st.draining, st.refusesNew, st.moved = true, true, true })
}

// sendGoaway sends $/goaway and bounds how long the peer may take to move.
func (s *Session) sendGoaway() {
	wait := movedTimeout
	if left, ok := s.timeToDrain(); ok {
		wait = min(wait, left/2)
	}
	s.postGoaway()
	s.setTimer(&s.drainTimer, s.enforceMove, wait)
}

func (s *Session) postGoaway(last ...int64) {
	var params []int64
	if left, ok := s.timeToDrain(); ok {
		params = append(params, min(left.Milliseconds(), noEnd-1))
	} else if len(last) > 0 {
		params = append(params, noEnd)
	}
	s.post(s.Format.AppendControl(nil, methodGoaway, append(params, last...)...))
}

// noEnd is the number of milliseconds that stands for no deadline.
const noEnd = wire.MaxTimeout

// timeToDrain returns the time until the deadline. ok is false if there is none.
func (s *Session) timeToDrain() (left time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(time.Until(s.state.deadline), 0), !s.state.deadline.IsZero()
}

// enforceMove handles a peer that has not sent $/moved in time: it sends the id of the
// last request that is accepted. In any case it ends the streams that cursors continue.
// It runs on its timer's goroutine.
func (s *Session) enforceMove() {
	var last int64
	late, forever := false, false
	s.update(func(st *sessionState) {
		late = !st.ended && !st.moved
		st.refusesNew = st.refusesNew || late
		last, forever = st.highestTaken, st.deadline.IsZero()
	})
	if late {
		s.postGoaway(last)
	}
	s.queue.endCursorStreams()
	if late && forever { // without a deadline nothing else would end the wait
		s.update(func(st *sessionState) { st.moved = true })
	}
}

// PeerDraining reports whether the peer has sent $/goaway.
func (s *Session) PeerDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.peerDraining
}

// TakesNoCalls reports whether new calls fail: the session has ended, or its peer
// drains.
func (s *Session) TakesNoCalls() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.ended || s.state.peerDraining
}

// receiveMoved receives $/moved.
func (s *Session) receiveMoved() {
	s.update(func(st *sessionState) { st.moved = st.draining || st.moved })
}

// receiveGoaway receives $/goaway and answers with $/moved. After that, only requests
// for calls from the peer are sent. Callers that wait for the call limit fail, and have
// to call elsewhere.
func (s *Session) receiveGoaway(params []byte) error {
	v, ok := s.ints(params, 2)
	if !ok {
		return errMalformed
	}
	s.update(func(st *sessionState) {
		st.peerDraining = true
		if len(v) > 1 {
			st.lastAccepted = min(st.lastAccepted, v[1])
		}
		st.callLimit.failWaiters(fault.NotSent(fault.Unavailable, ErrDrained))
	})
	if s.queue.putMoved(s.Format.AppendControl(nil, methodMoved)) {
		go s.flush(false)
	}
	s.Events.Goaway(s, v)
	return nil
}

// Serves reports whether ctx belongs to a call from the peer that is still open. A
// draining peer accepts the requests made for it.
func (s *Session) Serves(ctx context.Context) bool { return s.servesCall(CallFromContext(ctx)) }

func (s *Session) servesCall(in *Incoming) bool {
	return in != nil && in.Session == s && in.ID != nil && in.Ctx.Err() == nil
}
