package session

import (
	"time"

	"github.com/wirecall/wirecall/internal/fault"
)

// A plain client cannot be asked to leave. While the server drains, its requests are
// served until it has been idle for idleGrace; then new requests are refused, and the
// session ends once it is idle.

const (
	idleGrace         = 250 * time.Millisecond // without anything in flight: the client may be between two requests
	plainDrainTimeout = 5 * time.Second        // for a client that is never idle
)

// awaitIdle continues to serve a plain client that is being drained.
func (s *Session) awaitIdle() {
	wait := plainDrainTimeout
	if left, ok := s.timeToDrain(); ok {
		wait = min(wait, left/2)
	}
	s.setTimer(&s.drainTimer, s.refuseNew, wait)
	timer := stoppedTimer(s.refuseNew)
	s.update(func(st *sessionState) { st.idleTimer = timer })
}

// watchIdle runs idleTimer while nothing is in flight.
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

// refuseNew stops accepting requests of a plain client. It runs on a timer's goroutine.
func (s *Session) refuseNew() {
	s.update(func(st *sessionState) { st.refusesNew, st.moved, st.idleTimer = true, true, nil })
}

// refuseUnanswered answers the open calls of a plain client with an error, and ends its
// subscriptions with it.
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

// endSubscriptions ends the open subscriptions behind their pending items. It reports
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
