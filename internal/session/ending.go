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
	if s.finish(cause, code, false) {
		go s.closeFlushed(cause, code)
	} else if code != transport.CloseTimeout {
		s.notifications.drop(cause)
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
func (s *Session) End(cause error) (first bool) { return s.finish(cause, 0, false) }

// finish ends the session and releases all that wait for it. It reports whether it was
// the first to do so. code is the close code for the peer, so that what was put before
// must be flushed, or 0 if the peer gets nothing more. If onlyDetached is true, finish
// has no effect unless the session is detached.
//
// The owners end in an order: handlers must not answer with the cause of their contexts,
// so that the queue ends before the contexts; the waiters are released last.
func (s *Session) finish(cause error, code transport.CloseCode, onlyDetached bool) (first bool) {
	cause = s.Cause(cause)
	s.mu.Lock()
	was := s.phase
	if was == ended || onlyDetached && was != detached {
		s.mu.Unlock()
		return false
	}
	s.phase, s.cause = ended, cause
	s.stopWatchingContext()
	timers := []*time.Timer{s.keepAlive.timer, s.drainTimer}
	if s.readerDone == nil {
		defer close(s.ReaderDone)
	}
	s.mu.Unlock()
	if r := s.resumption.Load(); r != nil {
		timers = append(timers, r.ackTimer, r.expiry)
	}

	unanswered := s.outgoing.end(fault.NotSent(fault.Unavailable, cause))
	received := s.recv.end()
	s.incoming.end()
	lingers := s.notifications.end(cause, code)
	flushes := s.dialect.finish(cause) || code != 0 && was != detached
	sent, unsent := s.queue.end(!flushes)
	s.cancel(cause)
	if !lingers {
		s.notifications.drop(cause)
	}
	s.workers.End()
	s.credentials.end()
	for _, t := range timers {
		if t != nil {
			t.Stop()
		}
	}
	s.outgoing.fail(unanswered, unsent, cause)
	s.endStreams(received, sent, s.LostCallError(cause))
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

// endStreams ends the streams of both directions at the end of the session.
func (s *Session) endStreams(received idTable[RecvStream], sent []*SendStream, err error) {
	for rs := range received.all() {
		rs.receiveEnd(err)
		rs.leaveScope()
	}
	for _, ss := range sent {
		ss.stop(err)
	}
	s.addWork(-received.len() - len(sent))
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
