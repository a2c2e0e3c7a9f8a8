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
const orderPatience = 10 * time.Second

// A hold is what a notification is to the calls of its service that came behind it.
// The mutex of the session guards it.
type hold struct {
	in       *Incoming   // the notification
	released bool        // it has returned, or holds nobody up any more
	waiting  []*Incoming // calls, in the order in which they came
}

// holdUp makes a notification, which is being queued, hold calls of its service up.
func (c *Session) holdUp(s *connState, in *Incoming) {
	if in.Method.Order == nil {
		return
	}
	in.hold = &hold{in: in}
	if s.notes.last == nil {
		s.notes.last = make(map[*Ordering]*hold)
	}
	s.notes.last[in.Method.Order] = in.hold
	c.holds.Add(1)
}

// order notes which notification a call, which is being admitted, must wait for.
func (c *Session) order(s *connState, in *Incoming) {
	if c.holds.Load() > 0 && in.Method.Order != nil {
		in.hold = s.notes.last[in.Method.Order]
	}
}

// letGo ends what a notification holds up, and starts the calls that wait for it.
func (in *Incoming) LetGo() {
	c := in.Session
	var start []*Incoming
	c.update(func(s *connState) {
		h := in.hold
		if h == nil || h.released {
			return
		}
		h.released = true
		start, h.waiting = h.waiting, nil
		c.holds.Add(-1)
		if s.notes.last[in.Method.Order] == h {
			delete(s.notes.last, in.Method.Order)
		}
		for _, call := range start {
			call.hold = nil
			call.Withdrawn = call.Ctx.Err() != nil || c.Ctx.Err() != nil // the end of c.ctx may not have come to call.ctx yet
		}
	})
	for _, call := range start {
		call.stopWait()
		c.workers.Go(call)
	}
}

// dispatch gives a call whose context has been made to a worker, or has it wait for a
// notification.
func (c *Session) dispatch(in *Incoming) {
	if in.hold == nil || !c.wait(in) {
		c.workers.Go(in)
	}
}

// wait has a call wait for the notification that holds it up, and reports whether one
// does. It waits until that has let go, for orderPatience, or until its caller does
// not want it any more.
func (c *Session) wait(in *Incoming) (waits bool) {
	var held string
	c.update(func(s *connState) {
		if waits = !in.hold.released; !waits {
			in.hold = nil
			return
		}
		held = in.hold.in.Method.Name
		in.hold.waiting = append(in.hold.waiting, in)
		patience := time.AfterFunc(orderPatience, func() {
			if c.unwait(in, false) {
				c.Report(in.Ctx, slog.LevelWarn, "a call has waited for a notification of its service that came before it, and starts now: has the notification come to a stand?",
					slog.String("method", in.Method.Name), slog.String("notification", held), slog.Duration("waited", orderPatience))
			}
		})
		unwatch := context.AfterFunc(in.Ctx, func() { c.unwait(in, true) })
		in.stopWait = func() { patience.Stop(); unwatch() }
	})
	return waits
}

// unwait starts a call that waits, and reports whether it does. One that is not wanted
// any more is answered without having run.
func (c *Session) unwait(in *Incoming, withdrawn bool) (waited bool) {
	c.update(func(s *connState) {
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
		in.stopWait()
		c.workers.Go(in)
	}
	return waited
}
