package rpc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
)

// Draining returns a channel that is closed when the server that serves the call of ctx
// shuts down. Shutdown waits for streams: a handler whose stream would never end must
// receive from this channel too, and end the stream. A stream with a cursor need not:
// Shutdown ends it, and its client continues it elsewhere. Outside handlers the channel
// is nil, and so never ready.
func Draining(ctx context.Context) <-chan struct{} {
	if c := session.FromContext(ctx); c != nil {
		return c.Draining()
	}
	return nil
}

// Shutdown ends the server without losing work. It refuses new connections, and asks
// wirecall peers to take new work elsewhere. What they sent before that is still
// served, and calls and streams in progress may finish, as may the notifications of
// peers that have already closed their connections. Each connection ends when nothing
// is open on it any more. A session that has no socket, or loses it during Shutdown,
// ends with what it has in flight. If ctx ends first, what is left fails with
// CodeUnavailable, and Shutdown returns an error that wraps the cause of ctx and names
// what had not finished: how many calls, streams and notifications, and of which
// methods.
//
// A peer has half of the time until ctx's deadline, and 10 s at most, to confirm that
// it takes its work elsewhere. After that the server refuses its further calls, as not
// having run, and ends streams with a cursor, as ComeAgain does. Plain JSON-RPC clients
// cannot be asked: they are served until they have had nothing in flight for 250 ms,
// for half of the time until ctx's deadline and 5 s at most. If ctx ends first, the
// calls that they wait for are answered with CodeUnavailable.
//
// Shutdown closes the listeners of Serve. Stop the http.Server as well, for its own
// requests and for POST.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	until, _ := ctx.Deadline()
	openings := s.stop(until)
	for _, c := range s.sessions() {
		c.Goaway(until)
	}
	for _, o := range openings {
		o.Drain()
	}
	if !s.awaitAll(ctx, openings) {
		err := s.unfinished(context.Cause(ctx))
		s.endAll(session.ErrDrained)
		return err
	}
	return nil
}

// awaitAll waits until no session is left, nor an opening that could become one. It
// returns false if ctx ends first.
func (s *Server) awaitAll(ctx context.Context, openings []*session.Opening) bool {
	for _, o := range openings {
		select {
		case <-o.Done:
		case <-ctx.Done():
			return false
		}
	}
	for _, c := range s.sessions() {
		select {
		case <-c.ReaderDone:
		case <-ctx.Done():
			return false
		}
		if !c.AwaitNotifications(ctx) {
			return false
		}
	}
	return true
}

// unfinished returns the error of a Shutdown whose context has ended with cause.
func (s *Server) unfinished(cause error) error {
	var work unfinishedWork
	sessions := s.sessions()
	for _, c := range sessions {
		work.add(c.InFlight())
	}
	return fmt.Errorf("rpc: Shutdown: %w; not finished: %s%v", cause, counted(len(sessions), "connection"), &work)
}

// Close ends the server and all its connections at once, and closes the listeners of
// Serve.
func (s *Server) Close() error {
	s.init()
	s.stop(time.Time{})
	s.endAll(fault.ErrClosed)
	return nil
}

// endAll ends all connections at the same time and waits until their readers have
// returned.
func (s *Server) endAll(cause error) {
	openings := s.stop(time.Time{})
	for _, o := range openings {
		o.End(cause, transport.CloseShutdown)
	}
	for _, c := range s.sessions() {
		c.Fail(cause, transport.CloseShutdown)
	}
	late, cancel := context.WithTimeout(context.Background(), 2*session.CloseGrace)
	defer cancel()
	for _, o := range openings {
		select {
		case <-o.Done:
		case <-late.Done():
		}
	}
	for _, c := range s.sessions() {
		c.AwaitReader()
	}
}

// stop makes the server refuse new connections, and returns the current openings.
func (s *Server) stop(until time.Time) []*session.Opening {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped, s.until = true, until
	for ln := range s.listeners {
		(*ln).Close()
	}
	return slices.Collect(maps.Keys(s.openings))
}

// sessions returns the sessions that have not ended.
func (s *Server) sessions() []*session.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.conns))
}
