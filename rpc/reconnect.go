package rpc

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/transport"
)

// Reconnect says how a dialed connection is made again when its socket is lost.
// The zero value is the recommendation. Times below zero are refused, and a MaxDelay
// below a microsecond, whose unit is missing; a MinDelay may be as short as is wanted.
type Reconnect struct {
	// Disabled ends the connection with its first socket.
	Disabled bool

	// RetryFirst makes Dial itself try again, until its context ends, if the
	// server cannot be reached. It is refused together with Disabled.
	RetryFirst bool

	// FailFast fails calls with CodeUnavailable, as not having run, while there
	// is no socket. By default they wait, each under its own context.
	FailFast bool

	// MinDelay is about how long the first try waits, MaxDelay how long each of
	// many does; in between the delay doubles. Each is drawn at random, between
	// half of it and all of it, the first between nothing and all of it, so
	// that many clients of one server do not come at once. The defaults are 100
	// ms and 30 s, or MinDelay where that is more; MinDelay cannot be more than
	// MaxDelay.
	MinDelay, MaxDelay time.Duration

	// DrainSpread is the time over which clients move away from a server that shuts
	// down: each waits for a random part of it, at most half of the time that
	// the server gives, and at most a second once a call waits. The default is
	// 10 s.
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

// delay returns how long to wait before the next attempt, after n that failed.
func (r Reconnect) delay(n int) time.Duration {
	if n == 0 {
		return backoff.Between(0, r.MinDelay)
	}
	return backoff.Delay(r.MinDelay, r.MaxDelay, n)
}

// set makes st the state, unless the connection is closed. The mutex is held.
func (c *Conn) set(p Phase, cause error) {
	if c.state.Phase == Closed {
		return
	}
	c.state.Phase, c.state.Cause = p, cause
	switch p {
	case Connected:
		c.since, c.state.Retry = time.Now(), time.Time{}
	case Closed:
		c.state.Retry = time.Time{}
	}
	c.notify()
}

// notify wakes those who watch the state. The mutex is held.
func (c *Conn) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// end closes a dialed connection.
func (c *Conn) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(Closed, cause)
	c.cancel(cause)
}

// attached hears that the session has taken to a new socket.
func (c *Conn) attached() {
	if c.dialer == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(Connected, nil)
}

// detached hears that the session has lost its socket and may be resumed.
func (c *Conn) detached(s *session, cause error) {
	if c.dialer == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Load() == s {
		c.set(Detached, cause)
		c.again(0)
	}
}

// ended hears that the session has ended.
func (c *Conn) ended(s *session, cause error) {
	if c.dialer == nil || c.ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.session.Load() != s:
		c.leaving = slices.DeleteFunc(c.leaving, func(old *session) bool { return old == s })
		c.older.Store(int32(len(c.leaving)))
	case c.dialer.opts.Reconnect.Disabled || isFinal(cause):
		c.set(Closed, cause)
		c.cancel(cause)
	default:
		c.set(Connecting, cause)
		c.again(0)
	}
}

// goaway hears that the server of a session shuts down: in the given number of
// milliseconds, where there is one.
func (c *Conn) goaway(s *session, ms []int64) {
	if c.dialer == nil || c.dialer.opts.Reconnect.Disabled {
		return
	}
	spread := c.dialer.opts.Reconnect.DrainSpread
	if len(ms) > 0 {
		spread = min(spread, milliseconds(ms[0])/2)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Load() == s {
		c.again(backoff.Between(0, spread))
	}
}

// isFinal reports whether what ended a session, or a try to make one, will end
// the next as well: the close codes that say so, and credentials that are not
// taken.
func isFinal(cause error) bool {
	if isRefusal(cause) {
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

// isRefusal reports whether the server does not take the client's credentials.
func isRefusal(cause error) bool {
	e, ok := errors.AsType[*Error](cause)
	return ok && (e.Code == CodeUnauthenticated || e.Code == CodePermissionDenied)
}

// again has redial run, after a wait. The mutex is held.
func (c *Conn) again(wait time.Duration) {
	if c.dialing || c.ctx.Err() != nil {
		return
	}
	c.dialing = true
	c.judge(c.session.Load(), time.Since(c.since))
	for _, old := range []chan struct{}{c.hurry, c.now} { // of somebody who waited for something else
		select {
		case <-old:
		default:
		}
	}
	go c.redial(wait)
}

// redial makes the connection again, until it has or the connection ends. There
// is one at a time.
func (c *Conn) redial(spread time.Duration) {
	c.pause(spread, c.hurry)
	for c.ctx.Err() == nil {
		c.pause(c.nextDelay(), nil)
		err := c.connect(c.ctx)
		if err != nil && isFinal(err) {
			c.end(err)
			c.session.Load().end(err)
			return
		}
		if c.settled(err) {
			return
		}
		if s := c.session.Load(); err != nil && s.peerLeaving() {
			s.move() // there may be no other server before this one is idle
		}
	}
}

// proven is how long a connection lasts that is taken for a good one, even if it has
// carried nothing.
const proven = 5 * time.Second

// judge decides from a connection that has lasted so long whether the backoff begins
// anew: if it was of use. One that was, but is lost within a second again and again,
// is made again ever less often, up to once a second. A server that broke the rules
// must have kept to them for long. The mutex is held.
func (c *Conn) judge(s *session, lasted time.Duration) {
	carried := s.carried.Load()
	switch {
	case s.breached.Load() && lasted < c.dialer.opts.Reconnect.MaxDelay:
		return
	case carried || lasted >= proven:
		c.tries = 0
	}
	if carried && lasted < time.Second {
		c.brief++
	} else {
		c.brief = 0
	}
}

// nextDelay returns how long to wait before the next try, of which it tells the
// state's watchers.
func (c *Conn) nextDelay() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.dialer.opts.Reconnect
	d := r.delay(c.tries)
	c.tries++
	if c.brief > 1 {
		d = max(d, backoff.Doubled(r.MinDelay, time.Second, c.brief-1))
	}
	d = max(d, c.least)
	c.least = 0
	c.state.Retry = time.Now().Add(d)
	c.notify()
	return d
}

// stretched returns how long a client waits at least for a server that has said how
// long it wants no attempt: that time, or a random one up to twice as long.
func stretched(err error) time.Duration {
	d, _ := RetryAfter(err)
	return backoff.Between(d, 2*d)
}

// Reconnect has a connection that is being made again try at once, and begins its
// backoff anew: for applications that learn that the network is back. A try that is
// under way, which takes twice Limits.HandshakeTimeout at most, is not given up; where it
// fails the next comes at once. Reconnect does so once a second at most, and nothing
// while the connection is there, has ended, or was not made by Dial.
// It may be called by any number of goroutines at once, and does not wait.
func (c *Conn) Reconnect() {
	if c.dialer == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dialing || c.state.Phase == Connected || time.Since(c.asked) < time.Second {
		return
	}
	c.asked = time.Now()
	c.tries, c.brief, c.least = 0, 0, 0
	select {
	case c.now <- struct{}{}:
	default:
	}
}

// pause waits for d, for the end of the connection, or where somebody is in a
// hurry, for no more than a second.
func (c *Conn) pause(d time.Duration, hurry <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-hurry:
		c.pause(min(d, backoff.Between(0, time.Second)), nil)
	case <-c.now:
	case <-t.C:
	case <-c.ctx.Done():
	}
}

// settled reports whether there is no more to do for redial: the connection is
// there, and has not been lost again meanwhile.
func (c *Conn) settled(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.least = stretched(err)
	if err != nil && c.state.Phase != Connected {
		c.set(c.state.Phase, err)
	}
	if c.state.Phase < Connected || c.state.Phase == Detached || c.session.Load().peerLeaving() {
		return false
	}
	c.dialing = false
	return true
}

// connect dials, and takes the session up again or begins a new one.
func (c *Conn) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*c.limits.HandshakeTimeout, errNoAnswer)
	defer cancel()
	t, m, err := c.dialer.dial(ctx)
	if err != nil {
		return err
	}
	if old := c.session.Load(); old != nil && old.waits() {
		err := old.takeUp(ctx, t)
		if err == nil {
			return nil
		}
		if e, ok := err.(*Error); !ok || e.Code != CodeSessionLost && e.Code != CodeMethodNotFound {
			t.Close()
			return err
		}
		old.end(err) // the server knows it no more: on with a new one
	}
	s := newSession(c.values, c.config, c.dialer.codec, t, m)
	s.conn = c
	if err := s.open(ctx); err != nil {
		return err
	}
	c.adopt(s)
	s.start()
	return nil
}

// waits reports whether a session is without a socket.
func (c *session) waits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.state.ended && !c.state.attached && c.resume.Load() != nil
}

// maxLeaving is how many sessions whose servers shut down a connection holds beside
// its current one.
const maxLeaving = 4

var errTooManyLeaving = errors.New("too many servers of one connection shut down at once")

// adopt makes s the session that calls go to. What runs in an older one that
// goes on may finish there.
func (c *Conn) adopt(s *session) {
	old := c.session.Load()
	var oldest *session
	c.mu.Lock()
	c.session.Store(s)
	c.state.Session++
	c.set(Connected, nil)
	if old != nil && old.err() == nil {
		if len(c.leaving) == maxLeaving {
			oldest = c.leaving[0]
		}
		c.leaving = append(c.leaving, old)
		c.older.Store(int32(len(c.leaving)))
	}
	closed := c.ctx.Err() != nil
	c.mu.Unlock()
	switch {
	case closed:
		s.fail(ErrClosed, transport.CloseNormal)
	case old != nil:
		old.move()
	}
	if oldest != nil {
		oldest.fail(errTooManyLeaving, transport.CloseShutdown)
	}
}
