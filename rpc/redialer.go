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

// A redialer is the lifetime of a dialed connection: it connects again when the
// transport is lost, or the server shuts down, and holds the sessions that go on
// meanwhile beside the current one.
type redialer struct {
	conn    *Conn
	dialer  *dialer
	options Reconnect               // with the defaults
	ctx     context.Context         // ends with the connection; its cause says why
	cancel  context.CancelCauseFunc // the first call wins
	values  context.Context         // of the handlers

	hurry chan struct{} // holds a value when a call waits
	now   chan struct{} // holds a value when an attempt is to be made at once
	older atomic.Int32  // how many leaving has

	mu       sync.Mutex
	current  State         // see state
	changes  chan struct{} // closed when current changes
	dialing  bool          // redial runs
	since    time.Time     // when the phase became Connected
	asked    time.Time     // when reconnect last did something
	attempts attempts
	abandon  context.CancelCauseFunc // ends the latest attempt; nil before the first
	leaving  []*session.Session      // older sessions, whose servers shut down
}

// newRedialer makes c a dialed connection.
func newRedialer(c *Conn, d *dialer, values context.Context) *redialer {
	r := &redialer{conn: c, dialer: d, options: d.opts.Reconnect, values: values,
		hurry: make(chan struct{}, 1), now: make(chan struct{}, 1), changes: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancelCause(values)
	c.lifetime = r
	return r
}

// done implements lifetime.
func (r *redialer) done() <-chan struct{} { return r.ctx.Done() }

// err implements lifetime.
func (r *redialer) err() error { return context.Cause(r.ctx) }

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

// set changes the state, unless the connection is closed. The mutex is held.
func (r *redialer) set(p Phase, cause error) {
	if r.current.Phase == Closed {
		return
	}
	r.current.Phase, r.current.Cause = p, cause
	switch p {
	case Connected:
		r.since, r.current.Retry = time.Now(), time.Time{}
	case Closed:
		r.current.Retry = time.Time{}
	}
	r.notify()
}

// notify has those who watch the state look at it. The mutex is held.
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

// attached implements lifetime.
func (r *redialer) Attached() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set(Connected, nil)
}

// detached implements lifetime.
func (r *redialer) Detached(s *session.Session, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn.session.Load() == s {
		r.set(Detached, cause)
		r.again(0)
	}
}

// ended implements lifetime.
func (r *redialer) Ended(s *session.Session, cause error) {
	if r.ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.conn.session.Load() != s:
		r.leaving = slices.DeleteFunc(r.leaving, func(old *session.Session) bool { return old == s })
		r.older.Store(int32(len(r.leaving)))
	case r.options.Disabled || isFinal(cause):
		r.set(Closed, cause)
		r.cancel(cause)
	default:
		r.set(Connecting, cause)
		r.again(0)
	}
}

// goaway implements lifetime.
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
		r.again(backoff.Between(0, spread))
	}
}

// pick implements lifetime: a call that is made for one of the peer's is made in the
// session of that, while it goes on beside the current one.
func (r *redialer) pick(ctx context.Context) (*session.Session, error) {
	if r.options.FailFast {
		if st := r.state(); st.Phase != Connected {
			return nil, r.conn.over(notSent(CodeUnavailable, st.Cause))
		}
	}
	if r.older.Load() > 0 {
		if in := session.CallFromContext(ctx); in != nil && connOf(in.Session) == r.conn && in.Session.Serves(ctx) && in.Session.Err() == nil {
			return in.Session, nil
		}
	}
	return r.conn.session.Load(), nil
}

// repeats reports whether a call that failed with err is to be made again on the
// next session: s takes no more, and the call has not run, or may run twice.
func repeats(s *session.Session, call *Call, err error) bool {
	over := s.TakesNoCalls()
	switch e, ok := errors.AsType[*Error](err); {
	case !over || !ok:
		return false
	case !e.received && e.ran == fault.No: // it has not left
		return true
	case call.sends(): // which have begun
		return false
	}
	return call.Method.Idempotent && lost(err) || s.PeerDraining() && NotRun(err)
}

// await implements lifetime. The error is what the connection has ended with if there
// will be no other session.
func (r *redialer) await(ctx context.Context, s *session.Session, call *Call, err error) error {
	if !repeats(s, call, err) || s.Serves(ctx) && s.Err() == nil {
		return err
	}
	for {
		changed := r.changed()
		switch {
		case r.ctx.Err() != nil:
			return r.conn.over(err)
		case r.options.FailFast || r.options.Disabled:
			return err
		case r.conn.session.Load() != s:
			return nil
		}
		raise(r.hurry)
		select {
		case <-changed:
		case <-r.ctx.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// raise has a channel that holds one value hold one.
func raise(flag chan struct{}) {
	select {
	case flag <- struct{}{}:
	default:
	}
}

// lower has a channel that holds one value hold none.
func lower(flag chan struct{}) {
	select {
	case <-flag:
	default:
	}
}
