package session

import (
	"time"

	"github.com/wirecall/wirecall/internal/fault"
)

// A plain client knows no word for a shutdown: what it sends meanwhile is served, until
// it has sent nothing for a moment; then its new requests are refused, and the
// connection ends when nothing is in flight any more.

const (
	idleGrace         = 250 * time.Millisecond // nothing in flight: the client is between two pieces of work
	plainDrainTimeout = 5 * time.Second        // with a client that always has something in flight
)

// awaitQuiet goes on serving a plain client that is to leave.
func (s *Session) awaitIdle() {
	wait := plainDrainTimeout
	if left, ok := s.timeToDrain(); ok {
		wait = min(wait, left/2)
	}
	s.setTimer(&s.drainTimer, s.refuseNew, wait)
	quiet := stoppedTimer(s.refuseNew)
	s.update(func(st *sessionState) { st.idleTimer = quiet })
}

// watchQuiet has the timer run while nothing is in flight.
func (st *sessionState) watchIdle() {
	idle := st.idle()
	switch {
	case idle == st.idleTimerRuns:
	case idle:
		st.idleTimer.Reset(idleGrace)
	default:
		st.idleTimer.Stop()
	}
	st.idleTimerRuns = idle
}

// refuseNew ends the patience with a plain client. It runs on a timer's goroutine.
func (s *Session) refuseNew() {
	s.update(func(st *sessionState) { st.refusesNew, st.moved, st.idleTimer = true, true, nil })
}

// refuseRest says that a shutdown leaves calls of a plain client unanswered, and its
// subscriptions without an end.
func (s *Session) refuseUnanswered(calls map[string]*Incoming) {
	why := &fault.Error{Code: fault.Unavailable, Message: fault.MessageShuttingDown}
	for _, in := range calls {
		msg := s.refusal(in.ID, why)
		if in.Reply != nil {
			in.Reply(msg)
		} else {
			s.post(msg)
		}
	}
	if s.queue.endSubscriptions(s.errorObject(why)) {
		go s.flush(false)
	}
}

// endSubscriptions ends those that are open, behind the items that wait. It reports
// whether the caller must flush.
func (q *sendQueue) endSubscriptions(end []byte) (flush bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, ss := range q.streams {
		if ss.sub != nil && !ss.finished {
			ss.stopped, ss.finished, ss.endObject = true, true, end
			ss.appendTo(&q.messages)
		}
	}
	return q.messages.size() > 0 && q.claimFlush()
}
