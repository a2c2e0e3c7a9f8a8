package session

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
)

// Credentials that expire are renewed on the live connection: the server reminds its
// client with $/auth, and the client sends rpc.auth with a new token. Calls that start
// after that have the values of the new credentials.

// maxReminder bounds how long before the end of credentials a server reminds its client.
const maxReminder = time.Minute

// ExpireWith ends the use of t at the deadline of ctx, if it has one, when the client's
// credentials expire. It reminds a client whose token came in a handshake at three
// quarters of the time, and a minute before the end at the earliest.
func (s *Session) ExpireWith(ctx context.Context, t transport.Transport) {
	deadline, ok := ctx.Deadline()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transport != t {
		return // a later handshake has replaced it
	}
	if s.credentialTimer != nil {
		s.credentialTimer.Stop()
		s.credentialTimer = nil
	}
	if !ok || s.phase == ended {
		return
	}
	if left := time.Until(deadline); s.current.Load().byToken {
		s.setCredentialTimer(left-min(left/4, maxReminder), func() { s.remind(deadline, t) })
	} else {
		s.setCredentialTimer(left, func() { s.expireCredentials(t) })
	}
}

// setCredentialTimer runs f after d, unless other credentials have come by then. The
// mutex must be held.
func (l *lifecycle) setCredentialTimer(d time.Duration, f func()) {
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		l.mu.Lock()
		current := l.credentialTimer == timer
		l.mu.Unlock()
		if current {
			f()
		}
	})
	l.credentialTimer = timer
}

// remind asks the client for new credentials.
func (s *Session) remind(deadline time.Time, t transport.Transport) {
	s.mu.Lock()
	s.setCredentialTimer(time.Until(deadline), func() { s.expireCredentials(t) })
	speaks := s.phase == attached || s.phase == draining
	s.mu.Unlock()
	if speaks {
		s.queue.post(s.Format.AppendControl(nil, methodRemind, max(time.Until(deadline).Milliseconds(), 0)))
	}
}

// expireCredentials cuts the client off, which has to reconnect with new credentials. A
// session that can be resumed is detached; another one ends.
func (s *Session) expireCredentials(t transport.Transport) {
	cause := transport.CloseError{Code: transport.CloseExpired, Reason: errExpired.Error()}
	if !s.detach(t, cause) {
		s.Fail(errExpired, transport.CloseExpired)
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
	base := s.current.Load().base
	values, refusal := s.Authenticate(base, token)
	if refusal != nil {
		return 0, refusal
	}
	if s.Identify(values) != s.Principal {
		return 0, &fault.Error{Code: fault.PermissionDenied, Message: "the credentials are those of another principal", Ran: fault.No}
	}
	s.setHandshakeContext(base, values, true)
	s.ExpireWith(values, t)
	if deadline, ok := values.Deadline(); ok {
		expires = max(time.Until(deadline).Milliseconds(), 1)
	}
	return expires, nil
}

// renewTries bounds how often a client sends its credentials after one reminder: once
// more if they are refused, and once more after each cut in between, since the server may
// have received them behind those of the resume.
const renewTries = 3

// renew sends the server a new token, as $/auth asks for. At most one goroutine runs it.
// If that fails the credentials expire, and the next handshake has others.
func (s *Session) renew() {
	defer s.renewing.Store(false)
	ctx, cancel := context.WithTimeout(s.Ctx, s.Limits.HandshakeTimeout)
	defer cancel()
	refused := false
	for range renewTries {
		t := s.Transport()
		err := s.handshake(t).withToken(ctx, func(token string) error { return s.sendToken(ctx, token) })
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

// sendToken makes the call rpc.auth.
func (s *Session) sendToken(ctx context.Context, token string) error {
	r, err := s.Begin(ctx, &RequestHead{Method: methodAuth, Body: true})
	if err != nil {
		return err
	}
	defer r.Abort()
	r.Message.Bytes = appendMembers(s.Format, r.Message.Bytes, []member{{name: "auth", text: &token}})
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
	if s := w.session; s.Client && s.Token != nil && !s.renewing.Swap(true) {
		go s.renew()
	}
}
