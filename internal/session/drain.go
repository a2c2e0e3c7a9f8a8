package session

import (
	"context"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A departure is what a session's state knows of $/goaway, of either side.
type drainState struct {
	draining     bool      // we have said it: the end comes when the peer has moved and nothing is open
	deadline     time.Time // and in any case then, unless it is zero
	moved        bool      // the peer makes no new calls any more, but for calls of ours
	highestTaken int64     // the highest id among the peer's requests
	refusesNew   bool      // requests with a higher one than taken are refused

	idleTimer     *time.Timer // of a plain client that is still served: see watchQuiet
	idleTimerRuns bool        // it runs

	peerDraining bool  // the peer has said it
	lastAccepted int64 // the highest id of a request of ours that the peer takes
	movesStreams bool  // streams with a cursor go on with another session
}

// patience is how long a peer has at most to answer $/goaway with $/moved.
const movedTimeout = 10 * time.Second

// goaway asks the peer to take new work elsewhere. What it has sent by then, and what
// runs, may come to its end until the deadline, a zero one being none. A session
// that has no socket ends at once: its client is let in nowhere any more.
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

// endWhenIdle takes nothing new on.
func (s *Session) endWhenIdle() {
	s.update(func(st *sessionState) { st.draining, st.refusesNew, st.moved = true, true, true })
}

// sayGoaway says $/goaway, and bounds how long the peer may take to move.
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

// noEnd is a number of milliseconds that stands for no end.
const noEnd = wire.MaxTimeout

// timeToLeave is how long the peer has until the deadline, where there is one.
func (s *Session) timeToDrain() (left time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(time.Until(s.state.deadline), 0), !s.state.deadline.IsZero()
}

// insist ends the patience: where $/moved has not come the peer hears which of its
// requests is the last that is taken, and streams with a cursor are told to come
// again. It runs on its timer's goroutine.
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
	if late && forever { // nobody could wait for it any longer
		s.update(func(st *sessionState) { st.moved = true })
	}
}

// peerLeaving reports whether the peer has said $/goaway.
func (s *Session) PeerDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.peerDraining
}

// over reports whether the session takes no more calls: it has ended, or its peer
// shuts down.
func (s *Session) TakesNoCalls() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.ended || s.state.peerDraining
}

// peerMoved takes in $/moved.
func (s *Session) receiveMoved() {
	s.update(func(st *sessionState) { st.moved = st.draining || st.moved })
}

// peerLeaves takes in $/goaway: behind $/moved only what belongs to calls of the
// peer's is sent. Whoever waits to make another call has to make it elsewhere.
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

// serves reports whether ctx belongs to a call of the peer's that is still open. The
// peer takes the requests that are made for it also while it shuts down.
func (s *Session) Serves(ctx context.Context) bool { return s.servesCall(CallFromContext(ctx)) }

func (s *Session) servesCall(in *Incoming) bool {
	return in != nil && in.Session == s && in.ID != nil && in.Ctx.Err() == nil
}
