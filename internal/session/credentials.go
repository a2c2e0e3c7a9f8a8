package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
)

// MaxToken is the size in bytes of the largest token that a client may send.
const MaxToken = 16 << 10

// credentials owns what a session knows of its client's credentials: the parent of the
// contexts of calls, and when they expire. Before that they are renewed on the live
// connection: the server reminds its client with $/auth, and the client sends rpc.auth
// with a new token.
type credentials struct {
	session  *Session
	current  atomic.Pointer[handshakeContext] // the parent of the contexts of calls that begin now
	renewing atomic.Bool                      // a client: renew runs

	mu    sync.Mutex
	timer *time.Timer // a server: runs remind or expire; nil if the credentials do not expire
}

// A handshakeContext is the parent of the contexts of calls. It ends with the session
// and has the values of one handshake. Each resume and each rpc.auth sets another, for
// calls that begin after it.
type handshakeContext struct {
	context.Context // Session.lifetime
	values          context.Context
	base            context.Context // what Settings.Authenticate received: values without what it added
	byToken         bool            // the client authenticated by a token that it can renew
}

func (h *handshakeContext) Value(key any) any {
	if v := h.Context.Value(key); v != nil {
		return v
	}
	return h.values.Value(key)
}

// set gives calls that begin from now on the values of ctx, which Settings.Authenticate
// has made from base.
func (c *credentials) set(base, ctx context.Context, byToken bool) context.Context {
	h := &handshakeContext{c.session.lifetime, context.WithoutCancel(ctx), context.WithoutCancel(base), byToken}
	c.current.Store(h)
	return h
}

// maxReminder bounds how long before the end of credentials a server reminds its client.
const maxReminder = time.Minute

// ExpireWith ends the use of t at the deadline of ctx, if it has one, when the client's
// credentials expire. It reminds a client that sends tokens when a quarter of the time is
// left, and maxReminder at most.
func (s *Session) ExpireWith(ctx context.Context, t transport.Transport) {
	deadline, ok := ctx.Deadline()
	c := &s.credentials
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Transport() != t || s.HasEnded() {
		return // a later handshake has replaced t, or nothing is left to expire
	}
	c.stop()
	switch left := time.Until(deadline); {
	case !ok:
	case c.current.Load().byToken:
		c.start(left-min(left/4, maxReminder), func() { c.remind(deadline, t) })
	default:
		c.start(left, func() { c.expire(t) })
	}
}

// start runs f after d, unless other credentials have come by then. The mutex must be
// held.
func (c *credentials) start(d time.Duration, f func()) {
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		c.mu.Lock()
		current := c.timer == timer
		c.mu.Unlock()
		if current {
			f()
		}
	})
	c.timer = timer
}

// stop stops the timer. The mutex must be held.
func (c *credentials) stop() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// end stops the timer of a session that has ended.
func (c *credentials) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop()
}

// remind asks the client for new credentials.
func (c *credentials) remind(deadline time.Time, t transport.Transport) {
	s := c.session
	c.mu.Lock()
	c.start(time.Until(deadline), func() { c.expire(t) })
	c.mu.Unlock()
	if s.HasEnded() { // end may have come before start
		c.end()
	} else if !s.IsDetached() {
		s.queue.post(s.Format.AppendControl(nil, methodRemind, max(time.Until(deadline).Milliseconds(), 0)))
	}
}

var errExpired = errors.New("the credentials have expired")

// expire cuts the client off, which has to reconnect with new credentials. A session that
// can be resumed is detached; another one ends.
func (c *credentials) expire(t transport.Transport) {
	cause := transport.CloseError{Code: transport.CloseExpired, Reason: errExpired.Error()}
	if !c.session.detach(t, cause) {
		c.session.Fail(errExpired, transport.CloseExpired)
	}
}

// renewTries bounds how often a client sends its credentials after one reminder: once
// more if they are refused, and once more after each cut in between, since the server may
// have received them behind those of the resume.
const renewTries = 3

// renew sends the server a new token, as $/auth asks for. At most one goroutine runs it.
// If that fails the credentials expire, and the next handshake has others.
func (c *credentials) renew() {
	defer c.renewing.Store(false)
	s := c.session
	ctx, cancel := context.WithTimeout(s.Ctx, s.Limits.HandshakeTimeout)
	defer cancel()
	refused := false
	for range renewTries {
		t := s.Transport()
		err := s.handshake(t).withToken(ctx, func(token string) error { return c.send(ctx, token) })
		e, ok := err.(*fault.Error)
		switch again := ok && e.Code == fault.Unauthenticated && !refused; {
		case again:
			refused = true
		case err != nil:
			s.Report(s.Ctx, slog.LevelWarn, "credentials not renewed", slog.Any("error", BriefError(err)))
			return
		case s.Transport() == t:
			return
		}
	}
}

// send makes the call rpc.auth.
func (c *credentials) send(ctx context.Context, token string) error {
	r, err := c.session.Begin(ctx, &RequestHead{Method: methodAuth, Body: true})
	if err != nil {
		return err
	}
	defer r.Abort()
	r.Message.Bytes = appendMembers(c.session.Format, r.Message.Bytes, []member{{name: "auth", text: &token}})
	if err := r.Send(ctx); err != nil {
		return err
	}
	if err := r.Wait(ctx); err != nil {
		return err
	}
	defer r.Call.Recycle()
	return r.Call.Err
}

// remind receives $/auth, which servers send.
func (w *wirecall) remind() {
	s := w.session
	if s.Client && s.Token != nil && !s.credentials.renewing.Swap(true) {
		go s.credentials.renew()
	}
}

// authMethod is rpc.auth, which a server has that authenticates its clients.
var authMethod = &Method{Name: methodAuth, New: func() Served { return new(authCall) }}

// An authCall serves rpc.auth.
type authCall struct{ Incoming }

// Core implements Served.
func (a *authCall) Core() *Incoming { return &a.Incoming }

// Serve implements Served.
func (a *authCall) Serve() {
	expires, refusal := a.renew()
	a.Release()
	if a.Close() {
		refusal = &fault.Error{Code: fault.Canceled, Message: "canceled by the caller"}
	}
	if refusal != nil {
		a.Fail(refusal)
		return
	}
	answer, _ := a.BeginResult(nil) // it fails only for streams
	result := []member{{name: "expires", number: &expires, optional: true}}
	answer.Message.Bytes = appendMembers(a.Session.Format, answer.Message.Bytes, result)
	_ = answer.Send() // it is smaller than any peer's limit
}

// renew checks the token of the request and makes it that of the connection. It returns
// the milliseconds until it expires, 0 for never. A token that is refused, or that of
// another principal, changes nothing.
func (a *authCall) renew() (expires int64, refusal *fault.Error) {
	s, token := a.Session, ""
	t := s.Transport()
	if err := readMembers(s.Format, a.Params, []member{{name: "auth", text: &token}}); err != nil || len(token) > MaxToken {
		return 0, &fault.Error{Code: fault.InvalidParams, Message: fmt.Sprintf("invalid params: want auth, a string of %d bytes at most", MaxToken), Ran: fault.No}
	}
	base := s.credentials.current.Load().base
	values, refusal := s.Authenticate(base, token)
	if refusal != nil {
		return 0, refusal
	}
	if s.Identify(values) != s.Principal {
		return 0, &fault.Error{Code: fault.PermissionDenied, Message: "the credentials are those of another principal", Ran: fault.No}
	}
	s.credentials.set(base, values, true)
	s.ExpireWith(values, t)
	if deadline, ok := values.Deadline(); ok {
		expires = max(time.Until(deadline).Milliseconds(), 1)
	}
	return expires, nil
}
