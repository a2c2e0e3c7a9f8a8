package session

import (
	"context"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// A departure is what a session's state knows of $/goaway, of either side.
type departure struct {
	draining bool      // we have said it: the end comes when the peer has moved and nothing is open
	deadline time.Time // and in any case then, unless it is zero
	moved    bool      // the peer makes no new calls any more, but for calls of ours
	taken    int64     // the highest id among the peer's requests
	bounded  bool      // requests with a higher one than taken are refused

	quiet   *time.Timer // of a plain client that is still served: see watchQuiet
	isQuiet bool        // it runs

	leaving bool  // the peer has said it
	last    int64 // the highest id of a request of ours that the peer takes
	moving  bool  // streams with a cursor go on with another session
}

// patience is how long a peer has at most to answer $/goaway with $/moved.
const patience = 10 * time.Second

// goaway asks the peer to take new work elsewhere. What it has sent by then, and what
// runs, may come to its end until the deadline, a zero one being none. A session
// that has no socket ends at once: its client is let in nowhere any more.
func (c *Session) Goaway(deadline time.Time) {
	speak, detached, plain := false, false, false
	c.update(func(s *connState) {
		switch {
		case s.ended || s.draining:
		case !s.attached && c.resume.Load() != nil:
			s.expired, detached = ErrDrained, true
		default:
			s.draining, s.deadline = true, deadline
			plain = c.Mode != ModeWirecall
			speak = !plain
			close(c.drains)
		}
	})
	switch {
	case detached:
		c.End(ErrDrained)
	case plain:
		c.awaitQuiet()
	case speak:
		c.sayGoaway()
	}
}

// endWhenIdle takes nothing new on.
func (c *Session) endWhenIdle() {
	c.update(func(s *connState) { s.draining, s.bounded, s.moved = true, true, true })
}

// sayGoaway says $/goaway, and bounds how long the peer may take to move.
func (c *Session) sayGoaway() {
	wait := patience
	if left, ok := c.timeToLeave(); ok {
		wait = min(wait, left/2)
	}
	c.postGoaway()
	c.setTimer(&c.patience, c.insist, wait)
}

func (c *Session) postGoaway(last ...int64) {
	var params []int64
	if left, ok := c.timeToLeave(); ok {
		params = append(params, min(left.Milliseconds(), noEnd-1))
	} else if len(last) > 0 {
		params = append(params, noEnd)
	}
	c.post(c.Format.AppendControl(nil, methodGoaway, append(params, last...)...))
}

// noEnd is a number of milliseconds that stands for no end.
const noEnd = wire.MaxTimeout

// timeToLeave is how long the peer has until the deadline, where there is one.
func (c *Session) timeToLeave() (left time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(time.Until(c.state.deadline), 0), !c.state.deadline.IsZero()
}

// insist ends the patience: where $/moved has not come the peer hears which of its
// requests is the last that is taken, and streams with a cursor are told to come
// again. It runs on its timer's goroutine.
func (c *Session) insist() {
	var last int64
	late, forever := false, false
	c.update(func(s *connState) {
		late = !s.ended && !s.moved
		s.bounded = s.bounded || late
		last, forever = s.taken, s.deadline.IsZero()
	})
	if late {
		c.postGoaway(last)
	}
	c.out.comeAgain()
	if late && forever { // nobody could wait for it any longer
		c.update(func(s *connState) { s.moved = true })
	}
}

// peerLeaving reports whether the peer has said $/goaway.
func (c *Session) PeerLeaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.leaving
}

// over reports whether the session takes no more calls: it has ended, or its peer
// shuts down.
func (c *Session) Over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.ended || c.state.leaving
}

// peerMoved takes in $/moved.
func (c *Session) peerMoved() {
	c.update(func(s *connState) { s.moved = s.draining || s.moved })
}

// peerLeaves takes in $/goaway: behind $/moved only what belongs to calls of the
// peer's is sent. Whoever waits to make another call has to make it elsewhere.
func (c *Session) peerLeaves(params []byte) error {
	v, ok := c.ints(params, 2)
	if !ok {
		return errMalformed
	}
	c.update(func(s *connState) {
		s.leaving = true
		if len(v) > 1 {
			s.last = min(s.last, v[1])
		}
		s.slots.fail(fault.NotSent(fault.Unavailable, ErrDrained))
	})
	if c.out.move(c.Format.AppendControl(nil, methodMoved)) {
		go c.flush(false)
	}
	c.Events.Goaway(c, v)
	return nil
}

// serves reports whether ctx belongs to a call of the peer's that is still open. The
// peer takes the requests that are made for it also while it shuts down.
func (c *Session) Serves(ctx context.Context) bool { return c.servesCall(CallFromContext(ctx)) }

func (c *Session) servesCall(in *Incoming) bool {
	return in != nil && in.Session == c && in.ID != nil && in.Ctx.Err() == nil
}
