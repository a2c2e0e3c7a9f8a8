package session

import (
	"context"
	"log/slog"
	"slices"
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
// it. notifications.mu guards it.
type hold struct {
	in       *Incoming   // the notification
	released bool        // it has returned, or no longer holds calls back
	waiting  []*Incoming // calls, in the order of their arrival
}

// addHold makes a notification that is being queued hold back calls of its service. The
// mutex must be held.
func (n *notifications) addHold(in *Incoming) {
	if in.Method.Order == nil {
		return
	}
	in.hold = &hold{in: in}
	if n.lastHolds == nil {
		n.lastHolds = make(map[*Ordering]*hold)
	}
	n.lastHolds[in.Method.Order] = in.hold
	n.holding.Add(1)
}

// assignHold records the notification that a call being admitted must wait for, if there
// is one. The reader calls it.
func (n *notifications) assignHold(in *Incoming) {
	if n.holding.Load() == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	in.hold = n.lastHolds[in.Method.Order]
}

// waitForHold makes a call wait for its hold, and reports whether it does. The wait ends
// with the hold, after orderTimeout, or when the call is cancelled.
func (n *notifications) waitForHold(in *Incoming) (waits bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := in.hold
	if h.released {
		in.hold = nil
		return false
	}
	h.waiting = append(h.waiting, in)
	patience := time.AfterFunc(orderTimeout, func() {
		if n.stopWaiting(in, false) {
			n.session.Report(in.Ctx, slog.LevelWarn, "a call starts before an earlier notification of its service has returned: is the notification blocked?",
				slog.String("method", in.Method.Name), slog.String("notification", h.in.Method.Name), slog.Duration("waited", orderTimeout))
		}
	})
	unwatch := context.AfterFunc(in.Ctx, func() { n.stopWaiting(in, true) })
	in.stopWaitTimers = func() { patience.Stop(); unwatch() }
	return true
}

// ReleaseHold makes a notification no longer hold calls back, and starts those that wait
// for it. It has no effect on a call.
func (in *Incoming) ReleaseHold() {
	if in.Method.Order == nil || in.ID != nil {
		return
	}
	n := &in.Session.notifications
	for _, call := range n.release(in) {
		call.stopWaitTimers()
		n.session.workers.Go(call)
	}
}

// release releases the hold of a notification and returns the calls that wait for it.
func (n *notifications) release(in *Incoming) (start []*Incoming) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := in.hold
	if h == nil || h.released {
		return nil
	}
	h.released = true
	start, h.waiting = h.waiting, nil
	n.holding.Add(-1)
	if n.lastHolds[in.Method.Order] == h {
		delete(n.lastHolds, in.Method.Order)
	}
	for _, call := range start {
		call.hold = nil
		call.Withdrawn = call.Ctx.Err() != nil || n.session.Ctx.Err() != nil // the end of the session's context may not have reached call.Ctx yet
	}
	return start
}

// stopWaiting starts a call that waits for a hold, and reports whether it was waiting. A
// withdrawn call is answered without running its handler.
func (n *notifications) stopWaiting(in *Incoming, withdrawn bool) (waited bool) {
	n.mu.Lock()
	h := in.hold
	if h != nil {
		in.Withdrawn = withdrawn
		h.waiting = slices.DeleteFunc(h.waiting, func(call *Incoming) bool { return call == in })
		in.hold = nil
	}
	n.mu.Unlock()
	if h == nil {
		return false
	}
	in.stopWaitTimers()
	n.session.workers.Go(in)
	return true
}
