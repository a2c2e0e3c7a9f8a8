package session

import (
	"context"
	"log/slog"
	"time"
)

// A call starts when the notifications of its service that arrived before it have
// returned, so that a call sees what a notification before it has set. A notification
// may wait for something that only a later call brings about, and the peer cannot tell
// that; the rule therefore has two bounds. A notification stops holding calls back once
// it calls the peer, or Async; and no call waits for longer than orderTimeout.
//
// Notifications run one after another, so that a call waits for the last one of its
// service only.

// orderTimeout bounds how long a call waits.
const orderTimeout = 10 * time.Second

// A hold is a notification that holds back the calls of its service that arrived after
// it. The session's mutex guards it.
type hold struct {
	in       *Incoming   // the notification
	released bool        // it has returned, or no longer holds calls back
	waiting  []*Incoming // calls, in the order of their arrival
}

// addHold makes a notification that is being queued hold back calls of its service.
func (s *Session) addHold(st *sessionState, in *Incoming) {
	if in.Method.Order == nil {
		return
	}
	in.hold = &hold{in: in}
	if st.notifications.lastHolds == nil {
		st.notifications.lastHolds = make(map[*Ordering]*hold)
	}
	st.notifications.lastHolds[in.Method.Order] = in.hold
	s.holds.Add(1)
}

// assignHold records the notification that a call being admitted must wait for, if there
// is one.
func (s *Session) assignHold(st *sessionState, in *Incoming) {
	if s.holds.Load() > 0 && in.Method.Order != nil {
		in.hold = st.notifications.lastHolds[in.Method.Order]
	}
}

// ReleaseHold makes a notification no longer hold calls back, and starts those that wait
// for it. It has no effect on a call.
func (in *Incoming) ReleaseHold() {
	s := in.Session
	var start []*Incoming
	s.update(func(st *sessionState) {
		h := in.hold
		if h == nil || h.released {
			return
		}
		h.released = true
		start, h.waiting = h.waiting, nil
		s.holds.Add(-1)
		if st.notifications.lastHolds[in.Method.Order] == h {
			delete(st.notifications.lastHolds, in.Method.Order)
		}
		for _, call := range start {
			call.hold = nil
			call.Withdrawn = call.Ctx.Err() != nil || s.Ctx.Err() != nil // the end of s.Ctx may not have reached call.Ctx yet
		}
	})
	for _, call := range start {
		call.stopWaitTimers()
		s.workers.Go(call)
	}
}

// dispatch passes a call that has a context to a worker, or makes it wait for a hold.
func (s *Session) dispatch(in *Incoming) {
	if in.hold == nil || !s.waitForHold(in) {
		s.workers.Go(in)
	}
}

// waitForHold makes a call wait for its hold, and reports whether it does. The wait ends
// with the hold, after orderTimeout, or when the call is cancelled.
func (s *Session) waitForHold(in *Incoming) (waits bool) {
	var held string
	s.update(func(st *sessionState) {
		if waits = !in.hold.released; !waits {
			in.hold = nil
			return
		}
		held = in.hold.in.Method.Name
		in.hold.waiting = append(in.hold.waiting, in)
		patience := time.AfterFunc(orderTimeout, func() {
			if s.stopWaiting(in, false) {
				s.Report(in.Ctx, slog.LevelWarn, "a call starts before an earlier notification of its service has returned: is the notification blocked?",
					slog.String("method", in.Method.Name), slog.String("notification", held), slog.Duration("waited", orderTimeout))
			}
		})
		unwatch := context.AfterFunc(in.Ctx, func() { s.stopWaiting(in, true) })
		in.stopWaitTimers = func() { patience.Stop(); unwatch() }
	})
	return waits
}

// stopWaiting starts a call that waits for a hold, and reports whether it was waiting. A
// withdrawn call is answered without running its handler.
func (s *Session) stopWaiting(in *Incoming, withdrawn bool) (waited bool) {
	s.update(func(st *sessionState) {
		if waited = in.hold != nil; !waited {
			return
		}
		in.Withdrawn = withdrawn
		for i, call := range in.hold.waiting {
			if call == in {
				in.hold.waiting = append(in.hold.waiting[:i:i], in.hold.waiting[i+1:]...)
				break
			}
		}
		in.hold = nil
	})
	if waited {
		in.stopWaitTimers()
		s.workers.Go(in)
	}
	return waited
}
