package session

import (
	"context"
	"errors"

	"github.com/wirecall/wirecall/internal/fault"
)

// slots are the calls that the peer serves at once, as far as it has told.
type slots struct {
	free    int
	waiting []chan error // in order; each receives one value
}

var errNoSlot = errors.New("the peer serves no more calls at once")

// acquire takes a slot, waiting under ctx for one. In a handler that serves the
// same peer it does not wait; but it gets one also while we drain, for that
// handler is what we wait for.
func (c *Session) acquire(ctx context.Context) (err error) {
	var wait chan error
	in := CallFromContext(ctx)
	serving := in != nil && in.Session == c
	if in != nil && in.ID == nil && in.Session.Events == c.Events {
		in.LetGo()
	}
	c.update(func(s *connState) {
		switch {
		case s.ended:
			err = fault.NotSent(fault.Unavailable, s.cause)
		case s.leaving && !c.Serves(ctx) || s.draining && !serving:
			err = fault.NotSent(fault.Unavailable, ErrDrained)
		case s.slots.free > 0:
			s.slots.free--
		case serving:
			err = fault.NotSent(fault.LimitReached, errNoSlot)
		default:
			wait = make(chan error, 1)
			s.slots.waiting = append(s.slots.waiting, wait)
		}
	})
	if wait == nil {
		return err
	}
	select {
	case err := <-wait:
		return err
	case <-ctx.Done():
		c.update(func(s *connState) { s.slots.leave(wait) })
		return context.Cause(ctx)
	}
}

// release gives a slot back.
func (c *Session) release() { c.update(func(s *connState) { s.slots.release() }) }

func (s *slots) release() {
	if len(s.waiting) == 0 || s.free < 0 {
		s.free++
		return
	}
	s.waiting[0] <- nil
	s.waiting = s.waiting[1:]
}

// leave is for a waiter whose context has ended.
func (s *slots) leave(wait chan error) {
	for i, w := range s.waiting {
		if w == wait {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			return
		}
	}
	if err := <-wait; err == nil { // it was its turn at this very moment
		s.release()
	}
}

// grow hears the peer's limit, of which used are taken.
func (s *slots) set(limit, used int) {
	s.free = limit - used
	for s.free > 0 && len(s.waiting) > 0 {
		s.free--
		s.waiting[0] <- nil
		s.waiting = s.waiting[1:]
	}
}

// fail turns away everyone who waits.
func (s *slots) fail(err error) {
	for _, w := range s.waiting {
		w <- err
	}
	s.waiting = nil
}
