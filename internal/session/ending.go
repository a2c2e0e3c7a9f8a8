package session

import (
	"errors"
	"log/slog"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/replay"
	"github.com/wirecall/wirecall/internal/transport"
)

// A session ends in one of four ways. Fail sends the peer a reason. peerGone handles a
// peer that has sent a goodbye or closed the connection. writeFailed handles a transport
// that has failed and cannot be replaced. endAndClose, and End, send nothing. All of
// them call finish, which releases every waiter.

var ErrDrained = errors.New(fault.MessageShuttingDown)

// Fail ends the session and sends the peer the reason.
func (s *Session) Fail(cause error, code transport.CloseCode) {
	if s.finish(cause, code) {
		go s.closeFlushed(cause, code)
	} else if code != transport.CloseTimeout {
		s.dropNotifications(cause)
	}
}

// writeFailed ends the session because its transport has failed on a write. If the peer
// has closed it, frames that it sent before may still be unread: the reader gets
// CloseGrace to read them. The flusher calls it.
func (s *Session) writeFailed(err error) {
	t := s.transport
	switch {
	case s.detach(t, err):
	case err == transport.ErrNotReading || s.halfClosing.Load() || s.Err() != nil: // the peer has not closed it, or what it sent is no longer needed
		s.endAndClose(t, err)
	default:
		s.queue.detach()
		time.AfterFunc(CloseGrace, func() { s.endAndClose(t, err) })
	}
}

// endAndClose ends the session and closes t at once, without a goodbye.
func (s *Session) endAndClose(t transport.Transport, err error) {
	s.End(err)
	t.Close()
}

// peerGone ends a session whose peer sends nothing more. What has been put, and the
// answer of the WebSocket library to a close frame or a violation, may be written for
// CloseGrace.
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

// closeFlushed waits until what was put has been written, performs the closing handshake
// and closes the transport, all within CloseGrace.
func (s *Session) closeFlushed(cause error, code transport.CloseCode) {
	s.mu.Lock()
	t := s.transport
	s.mu.Unlock()
	grace := time.AfterFunc(CloseGrace, t.Close)
	defer grace.Stop()
	<-s.queue.awaitFlushed()
	closeTransport(t, s, code, reasonOf(cause))
}

// reasonOf returns the reason for cause that is sent to the peer.
func reasonOf(cause error) string {
	if closed, ok := cause.(interface{ CloseReason() string }); ok {
		return closed.CloseReason()
	}
	if errors.Is(cause, fault.ErrClosed) {
		return ""
	}
	return cause.Error()
}

// End ends the session; the peer gets nothing more. It reports whether it was the first
// to do so.
func (s *Session) End(cause error) (first bool) { return s.finish(cause, 0) }

// finish ends the session and releases all that wait for it. It reports whether it was
// the first to do so. code is the close code for the peer, so that what was put before
// must be flushed, or 0 if the peer gets nothing more.
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
	flushes := code != 0 && s.state.attached || !s.Client && s.Mode != ModeWirecall // a plain client may have half-closed
	last := s.state.lastAccepted
	var unanswered map[string]*Incoming
	unserved := cause == ErrDrained && !s.Client && s.Mode != ModeWirecall
	if unserved {
		unanswered, s.state.incoming = s.state.incoming, nil
	}
	if r := s.resumption.Load(); r != nil {
		timers = append(timers, r.ackTimer, r.expiry)
	}
	readerGone := s.state.readerDone == nil
	s.mu.Unlock()
	if readerGone {
		defer close(s.ReaderDone)
	}

	if unserved {
		s.refuseUnanswered(unanswered)
	}
	sendStreams, unsent := s.queue.close(!flushes) // before handlers can answer with the cause of their contexts
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
		go s.Log.LogAttrs(s.Ctx, slog.LevelDebug, "connection ended", slog.Any("cause", BriefError(cause))) // the caller may be the reader
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

// reportLeft reports once that nothing of an ended session runs any more, except
// handlers whose contexts have ended.
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

// MoveStreams ends the receive streams that cursors continue on another session.
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

// AwaitReader waits until the reader has returned, for 2*CloseGrace at most: closing a
// stream does not unblock every kind of Read, for example not that of standard input.
func (s *Session) AwaitReader() {
	t := time.NewTimer(2 * CloseGrace)
	defer t.Stop()
	select {
	case <-s.ReaderDone:
	case <-t.C:
	}
}

// LostCallError returns the error of a call that was unanswered when the session ended
// with cause.
func (s *Session) LostCallError(cause error) *fault.Error {
	closed := errors.Is(cause, fault.ErrClosed)
	if _, goodbye := errors.AsType[transport.CloseError](cause); !goodbye && s.resumption.Load() != nil && !closed {
		return &fault.Error{Code: fault.SessionLost, Message: cause.Error(), Ran: fault.Maybe, Cause: cause, Lost: true}
	}
	return &fault.Error{Code: fault.Unavailable, Message: fault.MessageConnectionLost + ": " + cause.Error(), Ran: fault.Maybe, Cause: cause, Lost: !closed}
}

// unsentCallError returns the error of a call that was not sent, and so has not run,
// when the session ended with cause.
func (s *Session) unsentCallError(cause error) *fault.Error {
	e := s.LostCallError(cause)
	e.Ran = fault.No
	return e
}
