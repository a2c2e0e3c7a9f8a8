package rpc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// A redialer is the lifetime of a dialed connection. It connects again when the
// transport is lost or the server shuts down, and holds the older sessions that have
// not ended yet.
type redialer struct {
	conn    *Conn
	dialer  *dialer
	options Reconnect               // with the defaults
	ctx     context.Context         // ends with the connection, with its cause
	cancel  context.CancelCauseFunc // the first call wins
	values  context.Context         // of the contexts of handlers

	callWaits    chan struct{} // holds a value if a call waits for a session
	retryNow     chan struct{} // holds a value if an attempt must be made at once
	leavingCount atomic.Int32  // the length of leaving

	mu       sync.Mutex
	current  State         // see state
	changes  chan struct{} // closed when current changes
	dialing  bool          // whether redial runs
	since    time.Time     // when the phase became Connected
	forcedAt time.Time     // when reconnect last did something
	attempts attempts
	abandon  context.CancelCauseFunc // ends the latest attempt; nil before the first
	leaving  []*session.Session      // older sessions that have not ended, whose servers are shutting down
}

// newRedialer returns the redialer of c, and makes it the lifetime of c.
func newRedialer(c *Conn, d *dialer, values context.Context) *redialer {
	r := &redialer{conn: c, dialer: d, options: d.opts.Reconnect, values: values,
		callWaits: make(chan struct{}, 1), retryNow: make(chan struct{}, 1), changes: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancelCause(values)
	c.lifetime = r
	return r
}

// context implements lifetime.
func (r *redialer) context() context.Context { return r.ctx }

// state implements lifetime.
func (r *redialer) state() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// changed implements lifetime.
func (r *redialer) changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changes
}

// sessions implements lifetime.
func (r *redialer) sessions() []*session.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*session.Session{r.conn.session.Load()}, r.leaving...)
}

// set changes the phase and its cause, unless the connection is closed. The mutex is
// held.
func (r *redialer) set(p Phase, cause error) {
	if r.current.Phase == Closed {
		return
	}
	r.current.Phase, r.current.Cause = p, cause
	switch p {
	case Connected:
		r.since, r.current.Retry = time.Now(), time.Time{}
	case Refused, Closed:
		r.current.Retry = time.Time{}
	}
	r.notify()
}

// notify wakes those who wait for a change of the state. The mutex is held.
func (r *redialer) notify() {
	close(r.changes)
	r.changes = make(chan struct{})
}

// end implements lifetime.
func (r *redialer) end(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set(Closed, cause)
	r.cancel(cause)
}

// Attached implements session.Events.
func (r *redialer) Attached() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set(Connected, nil)
}

// Detached implements session.Events.
func (r *redialer) Detached(s *session.Session, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn.session.Load() == s {
		r.set(Detached, cause)
		r.startRedial(0)
	}
}

// Ended implements session.Events.
func (r *redialer) Ended(s *session.Session, cause error) {
	if r.ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.conn.session.Load() != s:
		r.leaving = slices.DeleteFunc(r.leaving, func(old *session.Session) bool { return old == s })
		r.leavingCount.Store(int32(len(r.leaving)))
	case r.current.Phase == Refused: // redial has ended it
	case r.options.Disabled || isFinal(cause):
		r.set(Closed, cause)
		r.cancel(cause)
	default:
		r.set(Connecting, cause)
		r.startRedial(0)
	}
}

// Goaway implements session.Events.
func (r *redialer) Goaway(s *session.Session, ms []int64) {
	if r.options.Disabled {
		return
	}
	spread := r.options.DrainSpread
	if len(ms) > 0 {
		spread = min(spread, session.Milliseconds(ms[0])/2)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn.session.Load() == s {
		r.startRedial(backoff.Between(0, spread))
	}
}

// pick implements lifetime. A call that is made by the handler of a peer's call is made
// in that call's session, if that is an older one which has not ended.
func (r *redialer) pick(ctx context.Context) (*session.Session, error) {
	if r.options.FailFast {
		switch st := r.state(); st.Phase {
		case Connected:
		case Refused:
			return nil, refusedError(st)
		default:
			return nil, r.conn.finalError(notSent(CodeUnavailable, st.Cause))
		}
	}
	if r.leavingCount.Load() > 0 {
		if in := session.CallFromContext(ctx); in != nil && connOf(in.Session) == r.conn && in.Session.Serves(ctx) && in.Session.Err() == nil {
			return in.Session, nil
		}
	}
	return r.conn.session.Load(), nil
}

// repeats reports whether a call that failed with err must be repeated in the next
// session: s accepts no more calls, and the call has not run or may run twice.
func repeats(s *session.Session, call *Call, err error) bool {
	closed := s.TakesNoCalls()
	switch e, ok := errors.AsType[*Error](err); {
	case !closed || !ok:
		return false
	case !e.received && e.ran == fault.No: // it was not sent
		return true
	case call.sends(): // whose iterators have begun
		return false
	}
	return call.Method.Idempotent && lost(err) || s.PeerDraining() && NotRun(err)
}

// await implements lifetime. If there will be no other session, the error is that with
// which the connection ended.
func (r *redialer) await(ctx context.Context, s *session.Session, call *Call, err error) error {
	if !repeats(s, call, err) || s.Serves(ctx) && s.Err() == nil {
		return err
	}
	for {
		changed := r.changed()
		switch {
		case r.ctx.Err() != nil:
			return r.conn.finalError(err)
		case r.options.FailFast || r.options.Disabled:
			return err
		case r.conn.session.Load() != s:
			return nil
		}
		if st := r.state(); st.Phase == Refused {
			return refusedError(st)
		}
		setFlag(r.callWaits)
		select {
		case <-changed:
		case <-r.ctx.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refusedError returns the error of a call while st is Refused.
func refusedError(st State) error { return notSent(CodeOf(st.Cause), st.Cause) }

// setFlag puts a value into a channel that can hold one, if it is empty.
func setFlag(flag chan struct{}) {
	select {
	case flag <- struct{}{}:
	default:
	}
}

// clearFlag empties a channel that can hold one value.
func clearFlag(flag chan struct{}) {
	select {
	case <-flag:
	default:
	}
}
