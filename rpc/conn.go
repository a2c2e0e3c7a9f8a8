package rpc

import (
	"context"
	"errors"
	"iter"
	"net"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
)

// A Conn is a connection to a peer. It is a Caller, and it serves the peer's calls to
// its services. Its methods may be called by any number of goroutines at once.
//
// A Conn that Dial made connects again when its socket is lost; see Reconnect.
type Conn struct {
	*config
	session  atomic.Pointer[session.Session] // the session for new calls
	invoke   Handler                         // roundTrip with the interceptors around it
	lifetime lifetime
	observed observedSessions
}

func newConn(cfg *config) *Conn {
	c := &Conn{config: cfg}
	c.lifetime = onlySession{c}
	c.invoke = cfg.callChain(c.roundTrip)
	return c
}

// A connEvents is a Conn as the receiver of its sessions' events.
type connEvents Conn

func (c *connEvents) Attached()                                { c.lifetime.Attached() }
func (c *connEvents) Detached(s *session.Session, cause error) { c.lifetime.Detached(s, cause) }
func (c *connEvents) Goaway(s *session.Session, ms []int64)    { c.lifetime.Goaway(s, ms) }

func (c *connEvents) Ended(s *session.Session, cause error) {
	c.lifetime.Ended(s, cause)
	(*Conn)(c).observeEnd(s, cause)
}

// Call makes a call; see Caller. On a server's connection to a plain JSON-RPC client
// every call fails with CodeNeedsWirecall.
//
// If the peer already serves as many calls as it allows, Call waits under ctx until one
// ends. In a handler that serves the same peer it fails at once instead, because two
// peers could otherwise wait for each other for ever. While a dialed connection
// reconnects, Call waits for that too, unless Reconnect.FailFast is set. A call
// that certainly has not run, or whose method is idempotent, is repeated on the new
// connection.
func (c *Conn) Call(ctx context.Context, call *Call) error {
	var err error
	if len(c.observers.call) > 0 {
		err = c.observers.observe(ctx, call, c.invoke)
	} else {
		err = c.invoke(ctx, call)
	}
	if err != nil {
		call.failStreams(err)
	}
	return err
}

// roundTrip makes a call, and repeats it in another session if it may. Interceptors
// are wrapped around it.
func (c *Conn) roundTrip(ctx context.Context, call *Call) error {
	for {
		s, err := c.lifetime.pick(ctx)
		if err != nil {
			return err
		}
		if err = roundTrip(ctx, s, call); err == nil {
			return nil
		}
		if err = c.lifetime.await(ctx, s, call, public(s, err)); err != nil {
			return err
		}
	}
}

// finalError returns the error of a call that is not repeated: err, or, if the connection
// ended for another reason, such as CloseWithReason of the peer, an error with that reason.
func (c *Conn) finalError(err error) error {
	cause := c.Err()
	if cause == nil || errors.Is(err, cause) && !isRefusal(cause) {
		return err
	}
	e := &Error{Code: CodeUnavailable, Message: cause.Error(), ran: fault.Maybe, cause: cause}
	if isRefusal(cause) {
		refusal, _ := errors.AsType[*Error](cause)
		e.Code = refusal.Code
	}
	if NotRun(err) {
		e.ran = fault.No
	}
	return e
}

// Close ends the connection. What is in flight fails with ErrClosed as its cause, the
// contexts of handlers end, and messages that were sent before have a second to be
// written. Close may be called by any goroutine, handlers included, and any number of
// times.
func (c *Conn) Close() error {
	c.close(ErrClosed)
	return nil
}

func (c *Conn) close(cause error) {
	c.lifetime.end(cause)
	all := c.lifetime.sessions()
	for _, s := range all {
		s.Fail(cause, transport.CloseNormal)
	}
	for _, s := range all {
		s.AwaitReader()
	}
}

// Done returns a channel that is closed when the connection has ended and does not
// reconnect.
func (c *Conn) Done() <-chan struct{} {
	return c.lifetime.context().Done()
}

// Err returns why the connection has ended, or nil if it has not.
func (c *Conn) Err() error {
	return context.Cause(c.lifetime.context())
}

// A Phase is one of the phases of a Conn.
type Phase int

const (
	// Connecting means that there is no session. What was in flight has failed, except
	// for what is repeated, and calls wait.
	Connecting Phase = iota

	// Connected means that calls are carried.
	Connected

	// Detached means that the socket is lost and the session continues. What is in flight
	// waits, and so do new calls.
	Detached

	// Refused means that the server has refused the credentials, and others in their
	// place: State.Cause says why. What was in flight has failed, calls fail with the same
	// code, and nothing is tried again before Reconnect is called.
	Refused

	// Closed means that the connection has ended.
	Closed
)

// String returns the name of the phase, such as "connected".
func (p Phase) String() string {
	return [...]string{"connecting", "connected", "detached", "refused", "closed"}[p]
}

// A State is a snapshot of a Conn.
type State struct {
	Phase Phase

	// Cause is the error that broke the socket, or that of the latest attempt to connect
	// again. It is nil while the connection is Connected.
	Cause error

	// Session counts the sessions, from 1. When it changes, what was in flight in the
	// session before has failed, except for what is repeated: calls that may be
	// repeated, and streams with a cursor. If the server of the session before is
	// shutting down, that session may continue beside the new one until what runs in it
	// has finished.
	Session int

	// Retry is the time of the next attempt to connect, if one is scheduled. It is in the
	// past while that attempt runs, and zero while the connection is established and
	// after its end.
	Retry time.Time

	// Resumable reports whether the loss of the socket now would lose nothing: both sides
	// keep what the other has not acknowledged.
	Resumable bool
}

// State returns a snapshot of the connection.
func (c *Conn) State() State {
	s := c.session.Load()
	st := c.lifetime.state()
	st.Resumable = st.Phase != Closed && s.CanResume()
	return st
}

// States yields the state of the connection, and again whenever its phase, cause,
// session or next attempt has changed, until ctx or the connection ends. A state that
// changes before the loop's body returns may be skipped; the last one never is. Of a
// connection that Dial did not make only the first and the last state are yielded; see
// Observer.State.
func (c *Conn) States(ctx context.Context) iter.Seq[State] {
	return func(yield func(State) bool) {
		for {
			changed := c.lifetime.changed()
			if st := c.State(); !yield(st) || st.Phase == Closed {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// A lifetime decides when a Conn ends and in which session its calls are made. The
// lifetime of a dialed connection is a redialer; any other connection ends with its
// only session.
//
// The methods may be called by any goroutine. Those of session.Events do not block.
type lifetime interface {
	// pick returns the session for a call under ctx, or an error if the call must not be
	// made now.
	pick(ctx context.Context) (*session.Session, error)

	// await waits for another session and returns nil if call, which failed with err in
	// s, must be repeated there. Otherwise it returns the error of the call.
	await(ctx context.Context, s *session.Session, call *Call, err error) error

	// reconnect starts an attempt to connect at once; see Conn.Reconnect.
	reconnect()

	// end ends the Conn, but not its sessions.
	end(cause error)

	// sessions returns the sessions that may not have ended.
	sessions() []*session.Session

	// context returns a context that ends with the Conn. Its cause is why the Conn has
	// ended.
	context() context.Context

	// state returns Conn.State without Resumable. changed returns a channel that is
	// closed when the state changes.
	state() State
	changed() <-chan struct{}

	session.Events
}

// onlySession is the lifetime of a Conn that was not dialed.
type onlySession struct{ conn *Conn }

func (o onlySession) session() *session.Session { return o.conn.session.Load() }

func (o onlySession) pick(context.Context) (*session.Session, error) { return o.session(), nil }

func (o onlySession) await(_ context.Context, _ *session.Session, _ *Call, err error) error {
	return err
}

func (o onlySession) reconnect()                   {}
func (o onlySession) end(error)                    {}
func (o onlySession) sessions() []*session.Session { return []*session.Session{o.session()} }
func (o onlySession) context() context.Context     { return o.session().Ctx }
func (o onlySession) changed() <-chan struct{}     { return o.session().Ctx.Done() }

func (o onlySession) state() State {
	st := State{Phase: Connected, Session: 1}
	if s := o.session(); s.Err() != nil {
		st.Phase, st.Cause = Closed, s.Err()
	} else if s.IsDetached() {
		st.Phase = Detached
	}
	return st
}

func (o onlySession) Attached() {
	if len(o.conn.observers.state) > 0 {
		o.conn.observers.sawState(o.conn, Connected, nil)
	}
}

func (o onlySession) Detached(_ *session.Session, cause error) {
	if len(o.conn.observers.state) > 0 {
		o.conn.observers.sawState(o.conn, Detached, cause)
	}
}

func (o onlySession) Ended(s *session.Session, cause error) {
	if len(o.conn.observers.state) > 0 && !isPost(s) {
		o.conn.observers.sawState(o.conn, Closed, cause)
	}
}

func (o onlySession) Goaway(*session.Session, []int64) {}

// ConnFromContext returns the connection that the call of a handler's context came
// over, which is what Peer returns. It returns false in a POST and outside handlers.
func ConnFromContext(ctx context.Context) (*Conn, bool) {
	s := session.FromContext(ctx)
	if s == nil || isPost(s) {
		return nil, false
	}
	return connOf(s), true
}

// isPost reports whether s serves a POST, which has no connection.
func isPost(s *session.Session) bool {
	_, none := s.Transport().(session.NoTransport)
	return none
}

// RemoteAddr returns the address of the other end of the latest socket, which may be
// that of a proxy. It is nil for byte streams without an address.
func (c *Conn) RemoteAddr() net.Addr { return c.session.Load().Transport().RemoteAddr() }

// Codec returns the codec that encodes values on this connection.
func (c *Conn) Codec() codec.Codec { return codecOf(c.session.Load()) }

// Plain reports whether the peer speaks plain JSON-RPC 2.0. Then the only streams are
// subscriptions, and a server cannot call its client.
func (c *Conn) Plain() bool { return c.session.Load().Mode != session.ModeWirecall }

// Stats are what a connection holds at one moment. Use an Observer to count totals.
type Stats struct {
	CallsMade     int // calls of this side that have not been answered
	CallsServed   int // calls and notifications of the peer that run or wait to run
	StreamsSent   int // streams that this side produces
	StreamsTaken  int // streams that the peer produces
	QueuedBytes   int // waiting to be written: see Limits.SendQueueBytes
	BufferedBytes int // received and waiting for the application: see Limits.BufferedBytes
	ReplayBytes   int // sent and not yet acknowledged: see Limits.ReplayBytes
}

// Stats returns what the connection holds now, including sessions whose server is
// shutting down.
func (c *Conn) Stats() (st Stats) {
	for _, s := range c.lifetime.sessions() {
		st.add(s.Stats())
	}
	return st
}

func (st *Stats) add(s session.Stats) {
	st.CallsMade += s.CallsMade
	st.CallsServed += s.CallsServed
	st.StreamsSent += s.StreamsSent
	st.StreamsTaken += s.StreamsTaken
	st.QueuedBytes += s.QueuedBytes
	st.BufferedBytes += s.BufferedBytes
	st.ReplayBytes += s.ReplayBytes
}

// codecOf returns the codec that encodes the values of a session.
func codecOf(s *session.Session) codec.Codec { return connOf(s).codecs[s.Format] }

// connOf returns the connection that a session belongs to.
func connOf(s *session.Session) *Conn { return (*Conn)(s.Events.(*connEvents)) }
