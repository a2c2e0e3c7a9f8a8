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
func (s *Session) Fail(cause error, code transport.CloseCode) {
	if s.finish(cause, code) {
		go s.closeFlushed(cause, code)
	} else if code != transport.CloseTimeout {
		s.dropNotifications(cause)
	}
}

// lost hears from the flusher that its transport has failed. A peer that has closed may
// have sent something before, which the reader still finds: it has closeGrace to come
// to the end.
func (s *Session) writeFailed(err error) {
	t := s.transport
	switch {
	case s.detach(t, err):
	case err == transport.ErrNotReading || s.halfClosing.Load() || s.Err() != nil: // it has not closed, or nothing is wanted
		s.endAndClose(t, err)
	default:
		s.queue.detach()
		time.AfterFunc(CloseGrace, func() { s.endAndClose(t, err) })
	}
}

// drop ends the session without a word, and closes its socket at once.
func (s *Session) endAndClose(t transport.Transport, err error) {
	s.End(err)
	t.Close()
}

// gone ends a session whose peer has nothing more to say. What was put, and
// coder/websocket's answer to a close, or to what broke WebSocket's rules, still
// has closeGrace to leave.
func (s *Session) peerGone(t transport.Transport, err error) {
	if broken := t.Err(); broken == transport.ErrNotReading {
		err = broken
	}
	first := s.End(err)
	grace := time.AfterFunc(CloseGrace, t.Close)
	defer grace.Stop()
	<-s.queue.awaitFlushed()
	if first && t.CloseWrite() {
		t.Discard()
	}
	t.Close()
}

// shut lets what was put leave, says goodbye, and closes. A peer that does not
// take it has closeGrace for all of it.
func (s *Session) closeFlushed(cause error, code transport.CloseCode) {
	s.mu.Lock()
	t := s.transport
	s.mu.Unlock()
	grace := time.AfterFunc(CloseGrace, t.Close)
	defer grace.Stop()
	<-s.queue.awaitFlushed()
	closeTransport(t, s, code, reasonOf(cause))
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
func (s *Session) End(cause error) (first bool) { return s.finish(cause, 0) }

// finish makes everybody hear the cause, once. It reports whether it was the first.
// code is what the peer is told, for which what was put before is sent; it is 0 if
// the peer gets nothing more.
func (s *Session) finish(cause error, code transport.CloseCode) (first bool) {
	cause = s.Cause(cause)
	s.mu.Lock()
	if s.state.ended {
		s.mu.Unlock()
		return false
	}
	s.state.ended, s.state.cause = true, cause
	calls, recvStreams := s.state.calls, s.state.recvStreams
	s.state.calls, s.state.recvStreams, s.state.unreferenced = nil, nil, nil
	s.state.callLimit.failWaiters(fault.NotSent(fault.Unavailable, cause))
	s.state.stopWatchingContext()
	lingers := s.lingerOverNotifications(&s.state.notifications, cause, code)
	timers := []*time.Timer{s.keepAlive, s.drainTimer, s.state.credentialTimer}
	told := code != 0 && s.state.attached || !s.Client && s.Mode != ModeWirecall // a plain client may have half closed
	last := s.state.lastAccepted
	var unanswered map[string]*Incoming
	unserved := cause == ErrDrained && !s.Client && s.Mode != ModeWirecall
	if unserved {
		unanswered, s.state.incoming = s.state.incoming, nil
	}
	if r := s.resumption.Load(); r != nil {
		timers = append(timers, r.ackTimer, r.expiry)
	}
	torn := s.state.readerDone == nil
	s.mu.Unlock()
	if torn {
		defer close(s.ReaderDone)
	}

	if unserved {
		s.refuseUnanswered(unanswered)
	}
	sendStreams, unsent := s.queue.close(!told) // first, or handlers answer with what their contexts ended with
	s.cancel(cause)
	if !lingers {
		s.dropNotifications(cause)
	}
	s.workers.End()
	for _, t := range timers {
		if t != nil {
			t.Stop()
		}
	}
	err := s.LostCallError(cause)
	for id, call := range calls {
		if call.frame >= unsent || int64(id) > last {
			call.finishWith(s.unsentCallError(cause))
		} else {
			call.finishWith(err)
		}
	}
	for _, rs := range recvStreams {
		rs.receiveEnd(err)
		rs.leaveScope()
	}
	for _, ss := range sendStreams {
		ss.stop(err)
	}
	if s.Log.Enabled(s.Ctx, slog.LevelDebug) {
		go s.Log.LogAttrs(s.Ctx, slog.LevelDebug, "connection ended", slog.Any("cause", BriefError(cause))) // this may be the reader
	}
	if s.Registry != nil {
		s.Registry.remove(s)
	}
	if !lingers {
		s.reportLeft()
	}
	s.Events.Ended(s, cause)
	return true
}

// leave says that nothing of a session that has ended runs any more, but for
// handlers whose contexts have ended. It is called once.
func (s *Session) reportLeft() {
	if s.OnLeave != nil {
		s.OnLeave(s)
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
func (s *Session) MoveStreams() {
	var moving []*RecvStream
	s.mu.Lock()
	s.state.movesStreams = true
	for _, rs := range s.state.recvStreams {
		if rs.isMovable() {
			moving = append(moving, rs)
		}
	}
	s.mu.Unlock()
	for _, rs := range moving {
		rs.Cancel(errMovedOn)
	}
}

// awaitTorn waits for the reader to have gone, but not for ever: closing does
// not unblock every kind of stream, standard input for one.
func (s *Session) AwaitReader() {
	t := time.NewTimer(2 * CloseGrace)
	defer t.Stop()
	select {
	case <-s.ReaderDone:
	case <-t.C:
	}
}

// lostCall is what a caller gets for a session that ended with cause while its
// call was unanswered.
func (s *Session) LostCallError(cause error) *fault.Error {
	closed := errors.Is(cause, fault.ErrClosed)
	if _, goodbye := errors.AsType[transport.CloseError](cause); !goodbye && s.resumption.Load() != nil && !closed {
		return &fault.Error{Code: fault.SessionLost, Message: cause.Error(), Ran: fault.Maybe, Cause: cause, Lost: true}
	}
	return &fault.Error{Code: fault.Unavailable, Message: fault.MessageConnectionLost + ": " + cause.Error(), Ran: fault.Maybe, Cause: cause, Lost: !closed}
}

// unsentCall is what a caller gets for a session that ended with cause where its call
// has surely not run.
func (s *Session) unsentCallError(cause error) *fault.Error {
	e := s.LostCallError(cause)
	e.Ran = fault.No
	return e
}
