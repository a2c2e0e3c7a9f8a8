package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
)

// startRedial starts redial after a wait, unless it runs. The mutex is held.
func (r *redialer) startRedial(wait time.Duration) {
	if r.dialing {
		return
	}
	r.dialing = true
	s := r.conn.session.Load()
	r.attempts.judge(s.HasTraffic.Load(), s.Breached.Load(), time.Since(r.since), r.options.MaxDelay)
	clearFlag(r.callWaits) // set by a call that waited for an earlier session
	clearFlag(r.retryNow)
	go r.redial(wait)
}

// redial makes attempts until the connection is established or has ended. At most one
// runs at a time.
func (r *redialer) redial(spread time.Duration) {
	r.pause(spread, r.callWaits)
	for r.ctx.Err() == nil {
		r.pause(r.nextDelay(), nil)
		err := r.attempt()
		if isRefusal(err) && !r.options.Disabled {
			r.refuse(err)
			r.conn.session.Load().End(err)
			r.awaitReconnect()
			continue
		}
		if isFinal(err) {
			r.end(err)
			r.conn.session.Load().End(err)
			return
		}
		if r.settled(err) {
			return
		}
		if s := r.conn.session.Load(); err != nil && s.PeerDraining() {
			s.MoveStreams() // there may be no other server until this one is idle
		}
	}
}

// refuse records that the server has refused the credentials.
func (r *redialer) refuse(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clearFlag(r.retryNow)
	r.set(Refused, why)
}

// awaitReconnect waits until reconnect is called or the connection ends.
func (r *redialer) awaitReconnect() {
	select {
	case <-r.retryNow:
	case <-r.ctx.Done():
	}
}

var errAbandoned = errors.New("the attempt was abandoned for another, as Conn.Reconnect asked")

// attempt connects once. It ends early if reconnect abandons it.
func (r *redialer) attempt() error {
	ctx, abandon := context.WithCancelCause(r.ctx)
	defer abandon(nil)
	r.mu.Lock()
	r.abandon = abandon
	r.mu.Unlock()
	return r.connect(ctx)
}

// reconnect implements lifetime. It may abandon an attempt whose resume the server has
// accepted: the next attempt has a higher number, which the server accepts too.
func (r *redialer) reconnect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current.Phase == Connected || time.Since(r.forcedAt) < time.Second {
		return
	}
	r.forcedAt = time.Now()
	r.attempts = attempts{}
	if r.current.Phase == Refused {
		r.set(Connecting, r.current.Cause)
	}
	setFlag(r.retryNow)
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

// pause waits for d, or until the connection ends or reconnect is called. After callWaits
// has a value it waits for at most a second more.
func (r *redialer) pause(d time.Duration, callWaits <-chan struct{}) {
	select {
	case <-callWaits:
		r.pause(min(d, backoff.Between(0, time.Second)), nil)
	case <-r.retryNow:
	case <-time.After(d):
	case <-r.ctx.Done():
	}
}

// settled reports whether redial is done: the connection is established and has not
// been lost again meanwhile.
func (r *redialer) settled(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts.least = serverDelay(err)
	if err != nil && r.current.Phase != Connected {
		r.set(r.current.Phase, err)
	}
	if r.current.Phase < Connected || r.current.Phase == Detached || r.conn.session.Load().PeerDraining() {
		return false
	}
	r.dialing = false
	return true
}

// connect dials, and resumes the session or begins a new one.
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
		old.End(err) // the server no longer has it: begin a new one
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

// maxLeaving is how many sessions of servers that are shutting down a connection holds
// in addition to its current session.
const maxLeaving = 4

var errTooManyLeaving = errors.New("too many servers of one connection shut down at once")

// adopt makes s the session for new calls. What runs in an older session that has not
// ended may finish there.
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
		r.leavingCount.Store(int32(len(r.leaving)))
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
