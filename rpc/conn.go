package rpc

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
)

// A Conn is a connection to a peer. It is a Caller, and serves the calls that
// the peer makes to the services it was given. Its methods may be used by any
// number of goroutines at once.
//
// One that Dial has made connects again when its socket is lost; see
// DialOptions.Reconnect.
type Conn struct {
	*config
	session  atomic.Pointer[session.Session] // what calls go to
	invoke   Handler                         // roundTrip, and the interceptors around it
	lifetime lifetime
	observed observedSessions
}

func newConn(cfg *config) *Conn {
	c := &Conn{config: cfg}
	c.lifetime = onlySession{c}
	c.invoke = cfg.callChain(c.roundTrip)
	return c
}

// connEvents is a Conn as its sessions know it.
type connEvents Conn

func (c *connEvents) Attached()                                { c.lifetime.Attached() }
func (c *connEvents) Detached(s *session.Session, cause error) { c.lifetime.Detached(s, cause) }
func (c *connEvents) Goaway(s *session.Session, ms []int64)    { c.lifetime.Goaway(s, ms) }

func (c *connEvents) Ended(s *session.Session, cause error) {
	c.lifetime.Ended(s, cause)
	(*Conn)(c).observeEnd(s, cause)
}

// Call makes a call; see Caller. A connection that a Server holds to a plain
// JSON-RPC client cannot: its calls fail with CodeNeedsWirecall.
//
// Where the peer serves no more calls at once, Call waits under ctx for one to
// end; in a handler that serves this very peer it fails at once instead, or two
// peers could wait for each other for ever. While a dialed connection is being
// made again Call waits for that too, unless Reconnect.FailFast is set; and a
// call which has surely not run, or whose method is idempotent, is made again
// on the new one.
func (c *Conn) Call(ctx context.Context, call *Call) error {
	var err error
	if len(c.observers.call) > 0 {
		err = c.observe(ctx, call)
	} else {
		err = c.invoke(ctx, call)
	}
	if err != nil {
		call.failStreams(err)
	}
	return err
}

// roundTrip makes a call, again if need be: what interceptors are wrapped around.
func (c *Conn) roundTrip(ctx context.Context, call *Call) error {
	for {
		s, err := c.lifetime.pick(ctx)
		if err != nil {
			return err
		}
		if err = public(s, roundTrip(ctx, s, call)); err == nil {
			return nil
		}
		if err = c.lifetime.await(ctx, s, call, err); err != nil {
			return err
		}
	}
}

// over is err, of a call that will not be made again, or where the connection has
// ended for another reason, that: credentials that are refused, say.
func (c *Conn) over(err error) error {
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

// Close ends the connection: what is in flight fails with ErrClosed as its
// cause, the contexts of its handlers end, and what had been sent is given a
// second to leave. It may be called from anywhere and any number of times.
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

// Done is closed when the connection has ended, and will not be made again.
func (c *Conn) Done() <-chan struct{} {
	return c.lifetime.done()
}

// Err returns why the connection has ended, nil before.
func (c *Conn) Err() error {
	return c.lifetime.err()
}

// A Phase is one of the states of a Conn.
type Phase int

const (
	// Connecting is a connection without a session: what was in flight has
	// failed, but for what is made again, and calls wait.
	Connecting Phase = iota

	// Connected is one that carries calls.
	Connected

	// Detached is one whose socket is lost and whose session goes on: what is
	// in flight waits, and new calls do.
	Detached

	// Closed is the end.
	Closed
)

func (p Phase) String() string {
	return [...]string{"connecting", "connected", "detached", "closed"}[p]
}

// A State is what a Conn can be watched to be.
type State struct {
	Phase Phase

	// Cause is why the connection is not Connected: what the socket was lost
	// of, or what the last try to make it again has failed with.
	Cause error

	// Session counts the sessions, from 1. Another one means that what was in
	// flight in the one before has failed, but for what is made again: calls that
	// may be, and streams with a cursor. One whose server shuts down may go on
	// beside it until what runs there has finished.
	Session int

	// Retry is when the next attempt to connect begins, where one is scheduled. It
	// is past while that attempt runs, and zero while the connection is there and
	// after its end.
	Retry time.Time

	// Resumable says that a cut now would lose nothing: both sides keep what
	// the other has not acknowledged.
	Resumable bool
}

// State returns the connection's state.
func (c *Conn) State() State {
	s := c.session.Load()
	st := c.lifetime.state()
	st.Resumable = st.Phase != Closed && s.CanResume()
	return st
}

// States yields the connection's state, and again whenever its phase, cause, session
// or next attempt is another, until ctx ends or the connection does. States that do not last
// until the loop comes back may be left out; the last never is.
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
