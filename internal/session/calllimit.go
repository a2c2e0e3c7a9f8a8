package session

import (
	"context"
	"errors"

	"github.com/wirecall/wirecall/internal/fault"
)

// A callLimit counts how many more calls the peer accepts, and queues the callers above
// the limit. Session.mu guards it.
type callLimit struct {
	free    int
	waiters []chan error // in order; each receives one value: nil for a free call
}

var errCallLimit = errors.New("the peer serves no more calls at once")

// acquireCall takes a call from the limit, waiting for one until ctx ends. In a handler
// that serves the same peer it fails instead of waiting, since the peer may wait for
// that handler; but such a handler may still call while this side drains, because the
// drain waits for it.
func (s *Session) acquireCall(ctx context.Context) (err error) {
	var wait chan error
	in := CallFromContext(ctx)
	serving := in != nil && in.Session == s
	if in != nil && in.ID == nil && in.Session.Events == s.Events {
		in.ReleaseHold()
	}
	s.update(func(st *sessionState) {
		switch {
		case st.ended:
			err = fault.NotSent(fault.Unavailable, st.cause)
		case st.peerDraining && !s.Serves(ctx) || st.draining && !serving:
			err = fault.NotSent(fault.Unavailable, ErrDrained)
		case st.callLimit.free > 0:
			st.callLimit.free--
		case serving:
			err = fault.NotSent(fault.LimitReached, errCallLimit)
		default:
			wait = make(chan error, 1)
			st.callLimit.waiters = append(st.callLimit.waiters, wait)
		}
	})
	if wait == nil {
		return err
	}
	select {
	case err := <-wait:
		return err
	case <-ctx.Done():
		s.update(func(st *sessionState) { st.callLimit.cancelWait(wait) })
		return context.Cause(ctx)
	}
}

// releaseCall returns a call to the limit.
func (s *Session) releaseCall() { s.update(func(st *sessionState) { st.callLimit.release() }) }

func (l *callLimit) release() {
	if len(l.waiters) == 0 {
		l.free++
		return
	}
	l.waiters[0] <- nil
	l.waiters = l.waiters[1:]
}

// cancelWait removes a waiter whose context has ended.
func (l *callLimit) cancelWait(wait chan error) {
	for i, w := range l.waiters {
		if w == wait {
			l.waiters = append(l.waiters[:i:i], l.waiters[i+1:]...)
			return
		}
	}
	if err := <-wait; err == nil { // it received a call at the same moment
		l.release()
	}
}

// failWaiters makes every waiting caller return err.
func (l *callLimit) failWaiters(err error) {
	for _, w := range l.waiters {
		w <- err
	}
	l.waiters = nil
}
