package rpc

import (
	"context"
	"errors"
	"github.com/wirecall/wirecall/internal/transport"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// A Conn is a connection to a peer. It is a Caller, and serves the calls that
// the peer makes to the services it was given. Its methods may be used by any
// number of goroutines at once.
//
// One that Dial has made connects again when its socket is lost; see
// DialOptions.Reconnect.
type Conn struct {
	*config
	session atomic.Pointer[session] // what calls go to
	invoke  Handler                 // roundTrip, and the interceptors around it
	dialer  *dialer                 // nil where the connection is its first socket's

	// The rest is a dialed connection's.
	ctx    context.Context // ends with it; its cause says why
	cancel context.CancelCauseFunc
	values context.Context // of its handlers

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed when the state is another
	dialing bool          // redial runs
	hurry   chan struct{} // tells redial that a call waits
	older   atomic.Int32  // how many leaving has
	since   time.Time     // when the state became Connected
	tries   int           // to connect, since a connection was of use
	brief   int           // connections in a row that were of use and did not last
	least   time.Duration // before the next try, as the server has said
	asked   time.Time     // when Reconnect was last heeded
	now     chan struct{} // ends redial's pause
	leaving []*session    // older ones, whose server shuts down
}

func newConn(cfg *config) *Conn {
	c := &Conn{config: cfg}
	c.invoke = cfg.callChain(c.roundTrip)
	return c
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
	err := c.invoke(ctx, call)
	if err != nil {
		call.failStreams(err)
	}
	return err
}

// roundTrip makes a call: what interceptors are wrapped around.
func (c *Conn) roundTrip(ctx context.Context, call *Call) error {
	for {
		s := c.sessionFor(ctx)
		if c.dialer != nil && c.dialer.opts.Reconnect.FailFast {
			if st := c.State(); st.Phase != Connected {
				return c.over(notSent(CodeUnavailable, st.Cause))
			}
		}
		err := s.roundTrip(ctx, call)
		if err == nil || c.dialer == nil || !repeats(s, call, err) || s.serves(ctx) && s.err() == nil {
			return err
		}
		if err := c.await(ctx, s, err); err != nil {
			return err
		}
	}
}

// sessionFor returns the session that a call under ctx is to be made in: the one
// whose call it is made for, while that goes on beside the current one.
func (c *Conn) sessionFor(ctx context.Context) *session {
	if c.older.Load() > 0 {
		if in := callOf(ctx); in != nil && in.c.conn == c && in.c.serves(ctx) && in.c.err() == nil {
			return in.c
		}
	}
	return c.session.Load()
}

// repeats reports whether a call that failed with err is to be made again on the
// next session: s takes no more, and the call has not run, or may run twice.
func repeats(s *session, call *Call, err error) bool {
	over := false
	s.update(func(st *connState) { over = st.ended || st.leaving })
	switch e, ok := errors.AsType[*Error](err); {
	case !over || !ok:
		return false
	case !e.came && e.ran == ranNo: // it has not left
		return true
	case call.sends(): // which have begun
		return false
	}
	return call.Method.Idempotent && lost(err) || s.peerLeaving() && NotRun(err)
}

// await waits for a session that comes after s. It fails with err, of the call
// that waits, or with what the connection has ended with, where there will be none
// or the options say not to wait.
func (c *Conn) await(ctx context.Context, s *session, err error) error {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		switch re := &c.dialer.opts.Reconnect; {
		case c.ctx.Err() != nil:
			return c.over(err)
		case re.FailFast || re.Disabled:
			return err
		case c.session.Load() != s:
			return nil
		}
		select {
		case c.hurry <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-c.ctx.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
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
	e := &Error{Code: CodeUnavailable, Message: cause.Error(), ran: ranMaybe, cause: cause}
	if isRefusal(cause) {
		refusal, _ := errors.AsType[*Error](cause)
		e.Code = refusal.Code
	}
	if NotRun(err) {
		e.ran = ranNo
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
	if c.dialer != nil {
		c.end(cause)
	}
	all := c.allSessions()
	for _, s := range all {
		s.fail(cause, transport.CloseNormal)
	}
	for _, s := range all {
		s.awaitTorn()
	}
}

// Done is closed when the connection has ended, and will not be made again.
func (c *Conn) Done() <-chan struct{} {
	if c.dialer != nil {
		return c.ctx.Done()
	}
	return c.session.Load().ctx.Done()
}

// Err returns why the connection has ended, nil before.
func (c *Conn) Err() error {
	if c.dialer != nil {
		return context.Cause(c.ctx)
	}
	return c.session.Load().err()
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
	st := State{Phase: Connected, Session: 1}
	if c.dialer != nil {
		c.mu.Lock()
		st = c.state
		c.mu.Unlock()
	} else if err := s.err(); err != nil {
		st.Phase, st.Cause = Closed, err
	} else if s.waits() {
		st.Phase = Detached
	}
	if r := s.resume.Load(); r != nil && s.err() == nil && st.Phase != Closed {
		st.Resumable = r.sent.Complete()
	}
	return st
}

// States yields the connection's state, and again whenever its phase, cause, session
// or next attempt is another, until ctx ends or the connection does. States that do not last
// until the loop comes back may be left out; the last never is.
func (c *Conn) States(ctx context.Context) iter.Seq[State] {
	return func(yield func(State) bool) {
		for {
			changed := c.Done()
			if c.dialer != nil {
				c.mu.Lock()
				changed = c.changed
				c.mu.Unlock()
			}
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
