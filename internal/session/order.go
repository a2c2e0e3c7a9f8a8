package session

import (
	"context"
	"log/slog"
	"time"
)

// A call starts when the notifications of its service that came before it have
// returned, so that a value which was set by a notification is what the next call
// gets. The peer cannot know whether a notification waits for something that only a
// later call brings about, so that the rule has an end: a notification holds calls up
// no longer once it has called the peer, or Async; and no call waits for longer than
// orderPatience.
//
// Notifications run one after another, so that the last one of a service is the one to
// wait for.

// orderPatience is how long a call waits at most.
const orderTimeout = 10 * time.Second

// A hold is what a notification is to the calls of its service that came behind it.
// The mutex of the session guards it.
type hold struct {
	in       *Incoming   // the notification
	released bool        // it has returned, or holds nobody up any more
	waiting  []*Incoming // calls, in the order in which they came
}

// holdUp makes a notification, which is being queued, hold calls of its service up.
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

// order notes which notification a call, which is being admitted, must wait for.
func (s *Session) assignHold(st *sessionState, in *Incoming) {
	if s.holds.Load() > 0 && in.Method.Order != nil {
		in.hold = st.notifications.lastHolds[in.Method.Order]
	}
}

// letGo ends what a notification holds up, and starts the calls that wait for it.
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
			call.Withdrawn = call.Ctx.Err() != nil || s.Ctx.Err() != nil // the end of c.ctx may not have come to call.ctx yet
		}
	})
	for _, call := range start {
		call.stopWaitTimers()
		s.workers.Go(call)
	}
}

// dispatch gives a call whose context has been made to a worker, or has it wait for a
// notification.
func (s *Session) dispatch(in *Incoming) {
	if in.hold == nil || !s.waitForHold(in) {
		s.workers.Go(in)
	}
}

// wait has a call wait for the notification that holds it up, and reports whether one
// does. It waits until that has let go, for orderPatience, or until its caller does
// not want it any more.
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
				s.Report(in.Ctx, slog.LevelWarn, "a call has waited for a notification of its service that came before it, and starts now: has the notification come to a stand?",
					slog.String("method", in.Method.Name), slog.String("notification", held), slog.Duration("waited", orderTimeout))
			}
		})
		unwatch := context.AfterFunc(in.Ctx, func() { s.stopWaiting(in, true) })
		in.stopWaitTimers = func() { patience.Stop(); unwatch() }
	})
	return waits
}

// unwait starts a call that waits, and reports whether it does. One that is not wanted
// any more is answered without having run.
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
