package session

import (
	"context"
	"time"

	"github.com/wirecall/wirecall/internal/wire"
)

// movedTimeout bounds how long a peer may take to answer $/goaway with $/moved.
const movedTimeout = 10 * time.Second

// Draining returns a channel that is closed when this side begins to drain.
func (l *lifecycle) Draining() <-chan struct{} { return l.drainBegun }

// Goaway begins to drain the session: it asks the peer to take new work elsewhere. What
// the peer has sent by then, and what runs, may complete until the deadline, or without
// a bound if that is zero. A detached session ends at once, since this server would not
// accept its client.
func (l *lifecycle) Goaway(deadline time.Time) {
	l.mu.Lock()
	was := l.phase
	if was == attached {
		l.phase, l.deadline = draining, deadline
		close(l.drainBegun)
	}
	l.mu.Unlock()
	switch {
	case was == detached:
		l.session.expire(ErrDrained)
	case was == attached:
		l.session.outgoing.drain()
		l.session.dialect.drain()
		l.watchWork()
	}
}

// drain sends $/goaway and bounds how long the peer may take to move.
func (w *wirecall) drain() {
	l := &w.session.lifecycle
	wait := movedTimeout
	if left, ok := l.timeToDrain(); ok {
		wait = min(wait, left/2)
	}
	l.postGoaway()
	l.setTimer(&l.drainTimer, l.enforceMove, wait)
}

func (l *lifecycle) postGoaway(last ...int64) {
	var params []int64
	if left, ok := l.timeToDrain(); ok {
		params = append(params, min(left.Milliseconds(), noEnd-1))
	} else if len(last) > 0 {
		params = append(params, noEnd)
	}
	l.session.queue.post(l.session.Format.AppendControl(nil, methodGoaway, append(params, last...)...))
}

// noEnd is the number of milliseconds that stands for no deadline.
const noEnd = wire.MaxTimeout

// timeToDrain returns the time until the deadline. ok is false if there is none.
func (l *lifecycle) timeToDrain() (left time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(time.Until(l.deadline), 0), !l.deadline.IsZero()
}

// enforceMove handles a peer that has not sent $/moved in time: it sends the id of the
// last request that is accepted. In any case it ends the streams that cursors continue.
// It runs on its timer's goroutine.
func (l *lifecycle) enforceMove() {
	l.mu.Lock()
	late, forever := l.phase == draining && !l.moved, l.deadline.IsZero()
	l.mu.Unlock()
	if late {
		l.postGoaway(l.session.incoming.refuseNew())
	}
	l.session.queue.endCursorStreams()
	if late && forever { // without a deadline nothing else would end the wait
		l.peerMoved()
	}
}

// peerMoved receives $/moved: the peer makes no new calls, except for calls of this side.
func (l *lifecycle) peerMoved() {
	l.mu.Lock()
	l.moved = l.moved || l.phase == draining
	l.mu.Unlock()
	l.workChanged()
}

// PeerDraining reports whether the peer has sent $/goaway.
func (l *lifecycle) PeerDraining() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peerDraining
}

// TakesNoCalls reports whether new calls fail: the session has ended, or its peer
// drains.
func (l *lifecycle) TakesNoCalls() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase == ended || l.peerDraining
}

// goaway receives $/goaway and answers with $/moved. After that, only requests for calls
// from the peer are sent.
func (w *wirecall) goaway(params []byte) error {
	s := w.session
	v, ok := w.ints(params, 2)
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
func (s *Session) Serves(ctx context.Context) bool { return CallFromContext(ctx).serves(s) }

// serves reports whether in, which may be nil, is an open call from the peer of s.
func (in *Incoming) serves(s *Session) bool {
	return in != nil && in.Session == s && in.ID != nil && in.Ctx.Err() == nil
}
