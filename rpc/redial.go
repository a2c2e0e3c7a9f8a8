package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
)

// Reconnect configures how a client reconnects when its socket is lost.
// The zero value is the recommended one. Negative times are invalid, and so is a
// MaxDelay below a microsecond, whose unit is probably missing; a MinDelay may be as
// short as you like.
type Reconnect struct {
	// Disabled ends the connection when its first socket is lost.
	Disabled bool

	// RetryFirst makes Dial itself try again, until its context ends, if the server
	// cannot be reached. It is invalid together with Disabled.
	RetryFirst bool

	// FailFast fails calls with CodeUnavailable, as not having run, while there is no
	// socket. By default they wait, each under its own context.
	FailFast bool

	// MinDelay is the delay before the first attempt, and MaxDelay the longest delay;
	// from one attempt to the next the delay doubles. Each is drawn at random, between
	// half of it and all of it, and the first between nothing and all of it, so that the
	// clients of a server do not come back at once. The defaults are 100 ms, or MaxDelay
	// if that is less, and 30 s, or MinDelay if that is more. MinDelay cannot be more
	// than MaxDelay.
	MinDelay, MaxDelay time.Duration

	// DrainSpread is the time over which clients leave a server that shuts down. Each
	// waits for a random part of it, of at most half of the time that the server gives,
	// and for at most a second once a call waits. The default is 10 s.
	DrainSpread time.Duration
}

func (r Reconnect) withDefaults() Reconnect {
	def := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	if r.MaxDelay == 0 {
		r.MaxDelay = max(30*time.Second, r.MinDelay)
	}
	def(&r.MinDelay, min(100*time.Millisecond, r.MaxDelay))
	def(&r.DrainSpread, 10*time.Second)
	bound(&r)
	return r
}

// delay returns how long to wait before the attempt that follows n failed ones.
func (r Reconnect) delay(n int) time.Duration {
	if n == 0 {
		return backoff.Between(0, r.MinDelay)
	}
	return backoff.Delay(r.MinDelay, r.MaxDelay, n)
}

// isFinal reports whether the cause of a session's end, or of a failed attempt to begin
// one, would end the next one too: a close code that says so, refused credentials, or a
// node that is gone, by the error of a NetDial.
func isFinal(cause error) bool {
	if isRefusal(cause) || errors.Is(cause, relay.ErrGone) {
		return true
	}
	e, ok := errors.AsType[transport.CloseError](cause)
	if !ok {
		return false
	}
	switch e.Code {
	case transport.CloseNormal, 1002, 1003, 1007, 1008, 1009, 1010: // RFC 6455, section 7.4.1
		return true
	}
	return e.Code >= transport.CloseViolation && e.Code < 5000
}

// isRefusal reports whether the server refused the client's credentials.
func isRefusal(cause error) bool {
	e, ok := errors.AsType[*Error](cause)
	return ok && (e.Code == CodeUnauthenticated || e.Code == CodePermissionDenied)
}

// serverDelay returns the least delay before the next attempt if the server has asked for
// one: between that delay and twice that delay, at random. It is 0 if the server has
// not.
func serverDelay(err error) time.Duration {
	d, _ := RetryAfter(err)
	return backoff.Between(d, 2*d)
}

// Reconnect makes a connection that is reconnecting try at once, and resets its backoff,
// for applications that detect that the network is back or has changed, or that have
// other credentials for a connection that is Refused. An attempt in progress is
// abandoned, since it may hang in the network before. Reconnect does nothing within a
// second of a call that did something, while the connection is established, after its
// end, and for a connection that Dial did not make. It may be called by any number of
// goroutines at once, and does not wait.
func (c *Conn) Reconnect() { c.lifetime.reconnect() }

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
		err := r.connect(r.ctx)
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
	if d <= 0 {
		select {
		case <-r.retryNow:
		default:
		}
		return
	}
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

// connect dials, and resumes the session or begins a new one. It follows redirects, and
// ends early if reconnect abandons it.
func (r *redialer) connect(ctx context.Context) error {
	ctx, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	r.mu.Lock()
	r.abandon = abandon
	r.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, 2*r.conn.Limits.HandshakeTimeout, session.ErrNoAnswer)
	defer cancel()
	at := route{dialer: r.dialer, url: r.dialer.url}
	for {
		err := r.connectTo(ctx, &at)
		if err == nil || ctx.Err() != nil || !at.next(err) {
			return err
		}
	}
}

// connectTo is connect to one server.
func (r *redialer) connectTo(ctx context.Context, at *route) error {
	if at.url != r.dialer.url { // there is another way
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.conn.Limits.HandshakeTimeout, session.ErrNoAnswer)
		defer cancel()
	}
	t, m, err := r.dialer.dial(ctx, at.url)
	if err != nil {
		return err
	}
	_, isWebSocket := t.(*transport.WebSocket)
	mayRedirect := isWebSocket && !at.direct
	if old := r.conn.session.Load(); old != nil && old.IsDetached() {
		err := public(old, old.Resume(ctx, t, mayRedirect))
		if err == nil {
			return nil
		}
		if e, ok := err.(*Error); !ok || e.Code != CodeSessionLost && e.Code != CodeMethodNotFound {
			session.CloseFailed(t, err)
			return err
		}
		old.End(err) // the server no longer has it: begin a new one
	}
	s := session.New(r.values, &r.conn.Settings, r.dialer.codec.Format(), t, m, (*connEvents)(r.conn))
	if err := public(s, s.Open(ctx, mayRedirect)); err != nil {
		return err
	}
	r.adopt(s)
	r.conn.observeSession(s, nil) // which may use the connection
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

// attempts counts the attempts to connect and decides their delays.
type attempts struct {
	failed int           // in a row, since a connection was useful
	brief  int           // useful connections in a row that were lost within a second
	least  time.Duration // least delay before the next attempt, as the server asked
}

// proven is how long a connection must last to count as useful even if it carried
// nothing.
const proven = 5 * time.Second

// judge starts the backoff anew if the lost connection was useful. If useful
// connections are lost within a second again and again, the delays grow nevertheless,
// up to a second and MaxDelay. After a breach of the protocol the connection must have
// lasted for longest.
func (a *attempts) judge(carried, breached bool, lasted, longest time.Duration) {
	switch {
	case breached && lasted < longest:
		return
	case carried || lasted >= proven:
		a.failed = 0
	}
	if carried && lasted < time.Second {
		a.brief++
	} else {
		a.brief = 0
	}
}

// next counts an attempt, and returns how long to wait before it.
func (a *attempts) next(r *Reconnect) time.Duration {
	d := r.delay(a.failed)
	a.failed++
	if a.brief > 1 {
		d = max(d, backoff.Doubled(r.MinDelay, min(time.Second, r.MaxDelay), a.brief-1))
	}
	d = max(d, a.least)
	a.least = 0
	return d
}
