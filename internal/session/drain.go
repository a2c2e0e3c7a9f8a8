package session

import (
	"context"
	"time"

	"github.com/wirecall/wirecall/internal/wire"
)

// movedTimeout bounds how long a peer may take to answer $/goaway with $/moved.
const movedTimeout = 10 * time.Second

// Draining returns a channel that is closed when this side begins to drain.
func (s *Session) Draining() <-chan struct{} { return s.draining }

// Goaway begins to drain the session: it asks the peer to take new work elsewhere. What
// the peer has sent by then, and what runs, may complete until the deadline, or without
// a bound if that is zero. A detached session ends at once, since this server would not
// accept its client.
func (s *Session) Goaway(deadline time.Time) {
	s.mu.Lock()
	was := s.phase
	if was == attached {
		s.phase, s.deadline = draining, deadline
		close(s.draining)
	}
	s.mu.Unlock()
	switch {
	case was == detached:
		s.expire(ErrDrained)
	case was != attached:
	case s.plain != nil:
		s.outgoing.drain()
		s.plain.drain()
	default:
		s.outgoing.drain()
		s.sendGoaway()
		s.watchWork()
	}
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
	s.queue.post(s.Format.AppendControl(nil, methodGoaway, append(params, last...)...))
}

// noEnd is the number of milliseconds that stands for no deadline.
const noEnd = wire.MaxTimeout

// timeToDrain returns the time until the deadline. ok is false if there is none.
func (s *Session) timeToDrain() (left time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(time.Until(s.deadline), 0), !s.deadline.IsZero()
}

// enforceMove handles a peer that has not sent $/moved in time: it sends the id of the
// last request that is accepted. In any case it ends the streams that cursors continue.
// It runs on its timer's goroutine.
func (s *Session) enforceMove() {
	s.mu.Lock()
	late, forever := s.phase == draining && !s.moved, s.deadline.IsZero()
	s.mu.Unlock()
	if late {
		s.postGoaway(s.incoming.refuseNew())
	}
	s.queue.endCursorStreams()
	if late && forever { // without a deadline nothing else would end the wait
		s.peerMoved()
	}
}

// peerMoved receives $/moved: the peer makes no new calls, except for calls of this side.
func (s *Session) peerMoved() {
	s.mu.Lock()
	s.moved = s.moved || s.phase == draining
	s.mu.Unlock()
	s.workChanged()
}

// PeerDraining reports whether the peer has sent $/goaway.
func (s *Session) PeerDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peerDraining
}

// TakesNoCalls reports whether new calls fail: the session has ended, or its peer
// drains.
func (s *Session) TakesNoCalls() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == ended || s.peerDraining
}

// goaway receives $/goaway and answers with $/moved. After that, only requests for calls
// from the peer are sent.
func (r *reader) goaway(params []byte) error {
	s := r.session
	v, ok := r.ints(params, 2)
	if !ok {
		return errMalformed
	}
	last := int64(wire.MaxInteger)
	if len(v) > 1 {
		last = v[1]
	}
	s.mu.Lock()
	s.peerDraining = true
	s.mu.Unlock()
	s.outgoing.peerDrains(last)
	s.queue.putMoved()
	s.Events.Goaway(s, v)
	return nil
}

// Serves reports whether ctx belongs to a call from the peer that is still open. A
// draining peer accepts the requests made for it.
func (s *Session) Serves(ctx context.Context) bool { return s.servesCall(CallFromContext(ctx)) }

func (s *Session) servesCall(in *Incoming) bool {
	return in != nil && in.Session == s && in.ID != nil && in.Ctx.Err() == nil
}
