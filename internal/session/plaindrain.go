package session

import (
	"time"

	"github.com/wirecall/wirecall/internal/fault"
)

// A plain client knows no word for a shutdown: what it sends meanwhile is served, until
// it has sent nothing for a moment; then its new requests are refused, and the
// connection ends when nothing is in flight any more.

const (
	quietFor      = 250 * time.Millisecond // nothing in flight: the client is between two pieces of work
	plainPatience = 5 * time.Second        // with a client that always has something in flight
)

// awaitQuiet goes on serving a plain client that is to leave.
func (c *Session) awaitQuiet() {
	wait := plainPatience
	if left, ok := c.timeToLeave(); ok {
		wait = min(wait, left/2)
	}
	c.setTimer(&c.patience, c.refuseNew, wait)
	quiet := stoppedTimer(c.refuseNew)
	c.update(func(s *connState) { s.quiet = quiet })
}

// watchQuiet has the timer run while nothing is in flight.
func (s *connState) watchQuiet() {
	idle := s.idle()
	switch {
	case idle == s.isQuiet:
	case idle:
		s.quiet.Reset(quietFor)
	default:
		s.quiet.Stop()
	}
	s.isQuiet = idle
}

// refuseNew ends the patience with a plain client. It runs on a timer's goroutine.
func (c *Session) refuseNew() {
	c.update(func(s *connState) { s.bounded, s.moved, s.quiet = true, true, nil })
}

// refuseRest says that a shutdown leaves calls of a plain client unanswered, and its
// subscriptions without an end.
func (c *Session) refuseRest(calls map[string]*Incoming) {
	why := &fault.Error{Code: fault.Unavailable, Message: fault.MessageShuttingDown}
	for _, in := range calls {
		msg := c.refusal(in.ID, why)
		if in.Reply != nil {
			in.Reply(msg)
		} else {
			c.post(msg)
		}
	}
	if c.out.endSubscriptions(c.errorObject(why)) {
		go c.flush(false)
	}
}

// endSubscriptions ends those that are open, behind the items that wait. It reports
// whether the caller must flush.
func (o *outbox) endSubscriptions(end []byte) (flush bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.sending {
		if s.sub != nil && !s.ended {
			s.stopped, s.ended, s.end = true, true, end
			s.take(&o.first)
		}
	}
	return o.first.size() > 0 && o.claim()
}
