package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wirecall/wirecall/internal/contract"
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

func init() {
	contract.InFlight = func(conn any) string {
		var work unfinishedWork
		for _, s := range conn.(*Conn).lifetime.sessions() {
			work.add(s.InFlight())
		}
		return strings.TrimPrefix(work.String(), ", ")
	}
}

// unfinishedWork counts, by method, what is in flight: when a Shutdown has ended, or for
// the inspector.
type unfinishedWork struct{ calls, streams, notifications tally }

// A tally has a count for each method.
type tally map[string]int

func (t *tally) add(method string, n int) {
	if *t == nil {
		*t = make(tally)
	}
	if n > 0 {
		(*t)[method] += n
	}
}

func (u *unfinishedWork) add(f session.InFlight) {
	for _, method := range f.Calls {
		u.calls.add(method, 1)
	}
	for _, p := range f.Sent {
		if p, ok := p.(*pump); ok {
			u.streams.add(p.method.Name, 1)
		}
	}
	for _, method := range f.Notifications {
		u.notifications.add(method, 1)
	}
	u.calls.add("to clients", f.Made)
	u.streams.add("from clients", f.Received)
}

// String returns the counts for an error.
func (u *unfinishedWork) String() string {
	var b strings.Builder
	for _, kind := range []struct {
		name string
		of   tally
	}{{"call", u.calls}, {"stream", u.streams}, {"notification", u.notifications}} {
		if len(kind.of) > 0 {
			fmt.Fprintf(&b, ", %s (%v)", counted(kind.of.sum(), kind.name), kind.of)
		}
	}
	return b.String()
}

func (t tally) sum() (n int) {
	for _, count := range t {
		n += count
	}
	return n
}

// maxMethods is how many methods of a tally are named.
const maxMethods = 4

// String returns the counts of the methods that have most.
func (t tally) String() string {
	methods := slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return cmp.Or(cmp.Compare(t[b], t[a]), cmp.Compare(a, b))
	})
	var parts []string
	for i, m := range methods {
		if i == maxMethods {
			parts = append(parts, fmt.Sprintf("and %s more", counted(len(methods)-i, "method")))
			break
		}
		parts = append(parts, fmt.Sprintf("%s: %d", m, t[m]))
	}
	return strings.Join(parts, ", ")
}

// counted returns "1 call" or "2 calls".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// A CloseError reports that the peer closed the connection with a code: in a WebSocket
// close frame (RFC 6455, section 5.5.1), or in the equivalent over lines.
type CloseError struct {
	Code   int    // RFC 6455, section 7.4, or one of wirecall's from 4000 on
	Reason string // as the peer sent it, at most 123 bytes over a WebSocket

	cause transport.CloseError
}

// Error returns the reason, if there is one, and the code.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("the peer closed it (%d)", e.Code)
	}
	return fmt.Sprintf("the peer closed it: %s (%d)", e.Reason, e.Code)
}

// Unwrap returns the transport's error.
func (e *CloseError) Unwrap() error { return e.cause }

// closedByPeer returns err as users receive it: a close frame is a *CloseError.
func closedByPeer(err error) error {
	if e, ok := err.(transport.CloseError); ok {
		return &CloseError{int(e.Code), e.Reason, e}
	}
	return err
}

// A closedHere is ErrClosed with a reason for the peer.
type closedHere struct{ reason string }

func (e closedHere) Error() string { return ErrClosed.Error() + ": " + e.reason }

// CloseReason returns the reason for the close frame.
func (e closedHere) CloseReason() string { return e.reason }

func (e closedHere) Is(target error) bool { return target == ErrClosed }

// CloseWithReason is Close with a reason for the peer: the error that ends the peer's
// side is a *CloseError with code 1000 and the reason. A client that receives it does
// not connect again. The reason has at most 123 bytes of UTF-8 (RFC 6455, section 5.5);
// if it has not, CloseWithReason returns an error and the connection stays open. Over
// lines only a session that can be resumed carries the reason; the peer of any other
// session sees the end of the byte stream.
func (c *Conn) CloseWithReason(reason string) error {
	switch {
	case len(reason) > transport.MaxReason:
		return fmt.Errorf("rpc: a reason of %d bytes: a close frame has room for %d", len(reason), transport.MaxReason)
	case !utf8.ValidString(reason):
		return errors.New("rpc: the reason is not UTF-8")
	case reason == "":
		return c.Close()
	}
	c.close(closedHere{reason})
	return nil
}
