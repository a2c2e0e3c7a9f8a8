package session

import (
	"errors"
	"log/slog"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/replay"
	"github.com/wirecall/wirecall/internal/transport"
)

// How a session ends: with a word to the peer (fail), because the peer has said
// goodbye or is gone (gone), or because its socket failed and it cannot be resumed
// (lost). All of them come to end, which is the one place that tells everybody.

var ErrDrained = errors.New(fault.MessageShuttingDown)

// fail ends the session with a word to the peer.
func (c *Session) Fail(cause error, code transport.CloseCode) {
	if c.finish(cause, code) {
		go c.shut(cause, code)
	} else if code != transport.CloseTimeout {
		c.dropNotes(cause)
	}
}

// lost hears from the flusher that its transport has failed. A peer that has closed may
// have sent something before, which the reader still finds: it has closeGrace to come
// to the end.
func (c *Session) lost(err error) {
	t := c.transport
	switch {
	case c.detach(t, err):
	case err == transport.ErrNotReading || c.unsubscribed.Load() || c.Err() != nil: // it has not closed, or nothing is wanted
		c.drop(t, err)
	default:
		c.out.detach()
		time.AfterFunc(CloseGrace, func() { c.drop(t, err) })
	}
}

// drop ends the session without a word, and closes its socket at once.
func (c *Session) drop(t transport.Transport, err error) {
	c.End(err)
	t.Close()
}

// gone ends a session whose peer has nothing more to say. What was put, and
// coder/websocket's answer to a close, or to what broke WebSocket's rules, still
// has closeGrace to leave.
func (c *Session) gone(t transport.Transport, err error) {
	if broken := t.Err(); broken == transport.ErrNotReading {
		err = broken
	}
	first := c.End(err)
	grace := time.AfterFunc(CloseGrace, t.Close)
	defer grace.Stop()
	<-c.out.drained()
	if first && t.CloseWrite() {
		t.Discard()
	}
	t.Close()
}

// shut lets what was put leave, says goodbye, and closes. A peer that does not
// take it has closeGrace for all of it.
func (c *Session) shut(cause error, code transport.CloseCode) {
	c.mu.Lock()
	t := c.transport
	c.mu.Unlock()
	grace := time.AfterFunc(CloseGrace, t.Close)
	defer grace.Stop()
	<-c.out.drained()
	closeTransport(t, c, code, reasonOf(cause))
}

// reasonOf returns what the peer is told of a cause.
func reasonOf(cause error) string {
	if closed, ok := cause.(interface{ CloseReason() string }); ok {
		return closed.CloseReason()
	}
	if errors.Is(cause, fault.ErrClosed) {
		return ""
	}
	return cause.Error()
}

// end is finish where the peer gets nothing more.
func (c *Session) End(cause error) (first bool) { return c.finish(cause, 0) }

// finish makes everybody hear the cause, once. It reports whether it was the first.
// code is what the peer is told, for which what was put before is sent; it is 0 if
// the peer gets nothing more.
func (c *Session) finish(cause error, code transport.CloseCode) (first bool) {
	cause = c.Cause(cause)
	c.mu.Lock()
	if c.state.ended {
		c.mu.Unlock()
		return false
	}
	c.state.ended, c.state.cause = true, cause
	calls, sinks := c.state.calls, c.state.sinks
	c.state.calls, c.state.sinks, c.state.lost = nil, nil, nil
	c.state.slots.fail(fault.NotSent(fault.Unavailable, cause))
	c.state.stopWatching()
	lingers := c.lingerOverNotes(&c.state.notes, cause, code)
	timers := []*time.Timer{c.keeper, c.patience, c.state.credentials}
	told := code != 0 && c.state.attached || !c.Client && c.Mode != ModeWirecall // a plain client may have half closed
	last := c.state.last
	var unanswered map[string]*Incoming
	unserved := cause == ErrDrained && !c.Client && c.Mode != ModeWirecall
	if unserved {
		unanswered, c.state.incoming = c.state.incoming, nil
	}
	if r := c.resume.Load(); r != nil {
		timers = append(timers, r.timer, r.expiry)
	}
	torn := c.state.reading == nil
	c.mu.Unlock()
	if torn {
		defer close(c.ReaderDone)
	}

	if unserved {
		c.refuseRest(unanswered)
	}
	sources, unsent := c.out.close(!told) // first, or handlers answer with what their contexts ended with
	c.cancel(cause)
	if !lingers {
		c.dropNotes(cause)
	}
	c.workers.End()
	for _, t := range timers {
		if t != nil {
			t.Stop()
		}
	}
	err := c.LostCall(cause)
	for id, p := range calls {
		if p.frame >= unsent || int64(id) > last {
			p.fail(c.unsentCall(cause))
		} else {
			p.fail(err)
		}
	}
	for _, k := range sinks {
		k.end(err)
		k.settle()
	}
	for _, s := range sources {
		s.stop(err)
	}
	if c.Log.Enabled(c.Ctx, slog.LevelDebug) {
		go c.Log.LogAttrs(c.Ctx, slog.LevelDebug, "connection ended", slog.Any("cause", BriefError(cause))) // this may be the reader
	}
	if c.Registry != nil {
		c.Registry.ended(c)
	}
	if !lingers {
		c.leave()
	}
	c.Events.Ended(c, cause)
	return true
}

// leave says that nothing of a session that has ended runs any more, but for
// handlers whose contexts have ended. It is called once.
func (c *Session) leave() {
	if c.OnLeave != nil {
		c.OnLeave(c)
	}
}

func breachCode(err error) transport.CloseCode {
	if errors.Is(err, replay.ErrCounting) {
		return transport.CloseCounting
	}
	return transport.CloseViolation
}

var errMovedOn = &fault.Error{Code: fault.Unavailable, Message: "the stream goes on with another session", Ran: fault.Maybe, Lost: true}

// move ends the streams that go on elsewhere behind a cursor.
func (c *Session) Move() {
	var moving []*RecvStream
	c.mu.Lock()
	c.state.moving = true
	for _, k := range c.state.sinks {
		if k.movable() {
			moving = append(moving, k)
		}
	}
	c.mu.Unlock()
	for _, k := range moving {
		k.Cancel(errMovedOn)
	}
}

// awaitTorn waits for the reader to have gone, but not for ever: closing does
// not unblock every kind of stream, standard input for one.
func (c *Session) AwaitReader() {
	t := time.NewTimer(2 * CloseGrace)
	defer t.Stop()
	select {
	case <-c.ReaderDone:
	case <-t.C:
	}
}

// lostCall is what a caller gets for a session that ended with cause while its
// call was unanswered.
func (c *Session) LostCall(cause error) *fault.Error {
	closed := errors.Is(cause, fault.ErrClosed)
	if _, goodbye := errors.AsType[transport.CloseError](cause); !goodbye && c.resume.Load() != nil && !closed {
		return &fault.Error{Code: fault.SessionLost, Message: cause.Error(), Ran: fault.Maybe, Cause: cause, Lost: true}
	}
	return &fault.Error{Code: fault.Unavailable, Message: fault.MessageConnectionLost + ": " + cause.Error(), Ran: fault.Maybe, Cause: cause, Lost: !closed}
}

// unsentCall is what a caller gets for a session that ended with cause where its call
// has surely not run.
func (c *Session) unsentCall(cause error) *fault.Error {
	e := c.LostCall(cause)
	e.Ran = fault.No
	return e
}
