package session

import (
	"context"
	"errors"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// MaxToken is the size in bytes of the largest token that a handshake may carry.
const MaxToken = 16 << 10

var errExpired = errors.New("the credentials have expired")

// A handshakeContext is the parent of the contexts of calls. It ends with the session
// and has the values of one handshake. Each resume sets another, for calls that begin
// after it.
type handshakeContext struct {
	context.Context // Session.lifetime
	values          context.Context
}

func (h *handshakeContext) Value(key any) any {
	if v := h.Context.Value(key); v != nil {
		return v
	}
	return h.values.Value(key)
}

// setHandshakeContext gives calls that begin from now on the values of ctx.
func (s *Session) setHandshakeContext(ctx context.Context) context.Context {
	h := &handshakeContext{s.lifetime, context.WithoutCancel(ctx)}
	s.current.Store(h)
	return h
}

// ExpireWith closes t at the deadline of ctx, if it has one, when the client's
// credentials expire.
func (s *Session) ExpireWith(ctx context.Context, t transport.Transport) {
	deadline, ok := ctx.Deadline()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.credentialTimer != nil {
		s.credentialTimer.Stop()
		s.credentialTimer = nil
	}
	if ok && s.phase != ended {
		s.credentialTimer = time.AfterFunc(time.Until(deadline), func() { s.expireCredentials(t) })
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
