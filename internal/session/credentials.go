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
	renewing atomic.Bool                      // a client: renew runs; a server: rpc.auth is being served

	mu      sync.Mutex
	expires time.Time   // a server: when they expire; zero for never
	timer   *time.Timer // a server: runs remind or expire; nil if the credentials do not expire
	version int         // of the credentials: what the timer of an earlier version does has no effect
	refused int         // a server: how often rpc.auth was refused in a row
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
	c := &s.credentials
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireWith(ctx, t)
}

// keep is accept for a transport whose handshake has brought nothing new.
func (c *credentials) keep(t transport.Transport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Transport() != t {
		return
	}
	ctx := context.Background()
	if !c.expires.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, c.expires)
		defer cancel()
	}
	c.expireWith(ctx, t)
}

// accept makes values, which Settings.Authenticate has made from base, those of the
// connection, and their deadline its end. It returns false, with nothing changed, if a
// later handshake has replaced the transport t.
func (c *credentials) accept(base, values context.Context, byToken bool, t transport.Transport) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Transport() != t {
		return false
	}
	c.refused = 0
	c.set(base, values, byToken)
	c.expireWith(values, t)
	return true
}

// expireWith is ExpireWith with the mutex, which must be held.
func (c *credentials) expireWith(ctx context.Context, t transport.Transport) {
	c.stop()
	deadline, ok := ctx.Deadline()
	if c.expires = deadline; !ok || c.session.HasEnded() {
		return
	}
	version, left := c.version, time.Until(deadline)
	if c.current.Load().byToken {
		c.timer = time.AfterFunc(left-min(left/4, maxReminder), func() { c.remind(version, deadline, t) })
	} else {
		c.timer = time.AfterFunc(left, func() { c.expire(version, t) })
	}
}

// stop begins another version of the credentials, which do not expire. The mutex must be
// held.
func (c *credentials) stop() {
	if c.version++; c.timer != nil {
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
func (c *credentials) remind(version int, deadline time.Time, t transport.Transport) {
	s := c.session
	c.mu.Lock()
	current := c.version == version
	if current {
		c.timer = time.AfterFunc(time.Until(deadline), func() { c.expire(version, t) })
	}
	c.mu.Unlock()
	if current && !s.IsDetached() {
		s.queue.post(s.Format.AppendControl(nil, methodRemind, max(time.Until(deadline).Milliseconds(), 0)))
	}
}

var errExpired = errors.New("the credentials have expired")

// expire cuts the client off, which has to reconnect with new credentials. A session that
// can be resumed is detached; another one ends.
func (c *credentials) expire(version int, t transport.Transport) {
	c.mu.Lock()
	current := c.version == version
	c.mu.Unlock()
	if !current {
		return
	}
	cause := transport.CloseError{Code: transport.CloseExpired, Reason: errExpired.Error()}
	if !c.session.detach(t, cause) {
		c.session.Fail(errExpired, transport.CloseExpired)
	}
}

// renew sends the server a new token, as $/auth asks for: left is the time until the
// credentials expire. At most one goroutine runs it. It tries again if Token or the call
// fails, once more if the server refuses the token, and after a cut, since the server may
// have received the token behind that of the resume. If nothing helps, the credentials
// expire, and the next handshake has others.
func (c *credentials) renew(left time.Duration) {
	defer c.renewing.Store(false)
	s := c.session
	ctx, cancel := context.WithTimeout(s.Ctx, left)
	defer cancel()
	refused := false
	for ctx.Err() == nil {
		t := s.Transport()
		err := s.handshake(t).withToken(ctx, func(token string) error { return c.send(ctx, token) })
		if err == nil && s.Transport() == t {
			return
		}
		if err == nil {
			continue
		}
		e, _ := err.(*fault.Error)
		denied := e != nil && (e.Code == fault.Unauthenticated || e.Code == fault.PermissionDenied)
		if denied && (refused || e.Code == fault.PermissionDenied) || ctx.Err() != nil {
			s.Report(s.Ctx, slog.LevelWarn, "credentials not renewed", slog.Any("error", BriefError(err)))
			return
		}
		if refused = refused || denied; !denied {
			c.pause(ctx, left/8)
		}
	}
}

// pause waits for d or until ctx ends.
func (c *credentials) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// send makes the call rpc.auth.
func (c *credentials) send(ctx context.Context, token string) error {
	r, err := c.session.Begin(ctx, &RequestHead{Method: methodAuth, Body: true, uncounted: true})
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
func (w *wirecall) remind(params []byte) error {
	s := w.session
	ms, ok := w.ints(params, 1)
	if !ok || len(ms) < 1 {
		return errMalformed
	}
	if s.Client && s.Token != nil && !s.credentials.renewing.Swap(true) {
		go s.credentials.renew(max(Milliseconds(ms[0]), time.Second))
	}
	return nil
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
		a.Session.credentials.countRefusal(refusal)
		return
	}
	answer, _ := a.BeginResult(nil) // it fails only for streams
	result := []member{{name: "expires", number: &expires, optional: true}}
	answer.Message.Bytes = appendMembers(a.Session.Format, answer.Message.Bytes, result)
	_ = answer.Send() // it is smaller than any peer's limit
}

var (
	errRenewing  = &fault.Error{Code: fault.LimitReached, Message: "other credentials are being checked", Ran: fault.No}
	errPrincipal = &fault.Error{Code: fault.PermissionDenied, Message: "the credentials are those of another principal", Ran: fault.No}
	errReplaced  = &fault.Error{Code: fault.Unavailable, Message: "the connection was made again meanwhile", Ran: fault.No}
)

// renew checks the token of the request and makes it that of the connection. It returns
// the milliseconds until it expires, 0 for never. A token that is refused, or that of
// another principal, changes nothing.
func (a *authCall) renew() (expires int64, refusal *fault.Error) {
	s, c, token := a.Session, &a.Session.credentials, ""
	if c.renewing.Swap(true) {
		return 0, errRenewing
	}
	defer c.renewing.Store(false)
	if err := readMembers(s.Format, a.Params, []member{{name: "auth", text: &token}}); err != nil || len(token) > MaxToken {
		return 0, &fault.Error{Code: fault.InvalidParams, Message: fmt.Sprintf("invalid params: want auth, a string of %d bytes at most", MaxToken), Ran: fault.No}
	}
	t, base := s.Transport(), c.current.Load().base
	values, refusal := s.Authenticate(base, token)
	if refusal != nil {
		return 0, refusal
	}
	if s.Identify(values) != s.Principal {
		return 0, errPrincipal
	}
	if !c.accept(base, values, true, t) {
		return 0, errReplaced
	}
	if deadline, ok := values.Deadline(); ok {
		expires = max(time.Until(deadline).Milliseconds(), 1)
	}
	return expires, nil
}

// maxRefused is how often a client's credentials may be refused in a row, as before hello.
const maxRefused = 3

// countRefusal ends a session whose client guesses credentials.
func (c *credentials) countRefusal(e *fault.Error) {
	if e.Code != fault.Unauthenticated && e.Code != fault.PermissionDenied {
		return
	}
	c.mu.Lock()
	c.refused++
	over := c.refused >= maxRefused
	c.mu.Unlock()
	if over {
		c.session.Fail(errors.New("credentials were refused too often"), transport.CloseViolation)
	}
}
