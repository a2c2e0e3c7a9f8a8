package rpc

import (
	"errors"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/transport"
)

// Reconnect configures how a dialed connection is made again when its socket is lost.
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
// one, would end the next one too: a close code that says so, or refused credentials.
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

// Reconnect makes a connection that is being made again try at once, and starts its
// backoff anew, for applications that learn that the network is back or has changed, or
// that have other credentials for a connection that is Refused. An attempt in progress
// is abandoned, since it may hang in the network before. Reconnect does nothing within a second of a call that did something, while the connection is
// established, after its end, and for a connection that Dial did not make. It may be
// called by any number of goroutines at once, and does not wait.
func (c *Conn) Reconnect() { c.lifetime.reconnect() }
