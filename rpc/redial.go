package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
)

// again has redial run, after a wait. The mutex is held.
func (r *redialer) again(wait time.Duration) {
	if r.dialing || r.ctx.Err() != nil {
		return
	}
	r.dialing = true
	s := r.conn.session.Load()
	r.attempts.judge(s.HasTraffic.Load(), s.Breached.Load(), time.Since(r.since), r.options.MaxDelay)
	lower(r.hurry) // of somebody who waited for something else
	lower(r.now)
	go r.redial(wait)
}

// redial makes the connection again, until it has or the connection ends. There
// is one at a time.
func (r *redialer) redial(spread time.Duration) {
	r.pause(spread, r.hurry)
	for r.ctx.Err() == nil {
		r.pause(r.nextDelay(), nil)
		err := r.attempt()
		if err != nil && isFinal(err) {
			r.end(err)
			r.conn.session.Load().End(err)
			return
		}
		if r.settled(err) {
			return
		}
		if s := r.conn.session.Load(); err != nil && s.PeerDraining() {
			s.MoveStreams() // there may be no other server before this one is idle
		}
	}
}

var errAbandoned = errors.New("the attempt was abandoned for another, as Conn.Reconnect asked")

// attempt connects once, unless reconnect abandons it.
func (r *redialer) attempt() error {
	ctx, abandon := context.WithCancelCause(r.ctx)
	defer abandon(nil)
	r.mu.Lock()
	r.abandon = abandon
	r.mu.Unlock()
	return r.connect(ctx)
}

// reconnect implements lifetime. An attempt that it abandons behind a resume which the
// server has accepted costs nothing: the next one has a higher number.
func (r *redialer) reconnect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.dialing || r.current.Phase == Connected || time.Since(r.asked) < time.Second {
		return
	}
	r.asked = time.Now()
	r.attempts = attempts{}
	raise(r.now)
	if r.abandon != nil {
		r.abandon(errAbandoned)
	}
}

// nextDelay returns how long to wait before the next attempt, and sets State.Retry.
func (r *redialer) nextDelay() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.attempts.next(&r.options)
	r.current.Retry = time.Now().Add(d)
	r.notify()
	return d
}

// pause waits for d, for the end of the connection, or where somebody is in a
// hurry, for no more than a second.
func (r *redialer) pause(d time.Duration, hurry <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-hurry:
		r.pause(min(d, backoff.Between(0, time.Second)), nil)
	case <-r.now:
	case <-t.C:
	case <-r.ctx.Done():
	}
}

// settled reports whether there is no more to do for redial: the connection is
// there, and has not been lost again meanwhile.
func (r *redialer) settled(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts.least = stretched(err)
	if err != nil && r.current.Phase != Connected {
		r.set(r.current.Phase, err)
	}
	if r.current.Phase < Connected || r.current.Phase == Detached || r.conn.session.Load().PeerDraining() {
		return false
	}
	r.dialing = false
	return true
}

// connect dials, and takes the session up again or begins a new one.
func (r *redialer) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*r.conn.Limits.HandshakeTimeout, session.ErrNoAnswer)
	defer cancel()
	t, m, err := r.dialer.dial(ctx)
	if err != nil {
		return err
	}
	if old := r.conn.session.Load(); old != nil && old.IsDetached() {
		err := public(old, old.Resume(ctx, t))
		if err == nil {
			return nil
		}
		if e, ok := err.(*Error); !ok || e.Code != CodeSessionLost && e.Code != CodeMethodNotFound {
			t.Close()
			return err
		}
		old.End(err) // the server knows it no more: on with a new one
	}
	s := session.New(r.values, &r.conn.Settings, r.dialer.codec.Format(), t, m, (*connEvents)(r.conn))
	if err := public(s, s.Open(ctx)); err != nil {
		return err
	}
	r.conn.observeSession(s, nil)
	r.adopt(s)
	s.Start()
	return nil
}

// maxLeaving is how many sessions whose servers shut down a connection holds beside
// its current one.
const maxLeaving = 4

var errTooManyLeaving = errors.New("too many servers of one connection shut down at once")

// adopt makes s the session that calls go to. What runs in an older one that
// goes on may finish there.
func (r *redialer) adopt(s *session.Session) {
	old := r.conn.session.Load()
	var oldest *session.Session
	r.mu.Lock()
	r.conn.session.Store(s)
	r.current.Session++
	r.set(Connected, nil)
	if old != nil && old.Err() == nil {
		if len(r.leaving) == maxLeaving {
			oldest = r.leaving[0]
		}
		r.leaving = append(r.leaving, old)
		r.older.Store(int32(len(r.leaving)))
	}
	closed := r.ctx.Err() != nil
	r.mu.Unlock()
	switch {
	case closed:
		s.Fail(ErrClosed, transport.CloseNormal)
	case old != nil:
		old.MoveStreams()
	}
	if oldest != nil {
		oldest.Fail(errTooManyLeaving, transport.CloseShutdown)
	}
}
