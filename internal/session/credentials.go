package session

import (
	"context"
	"errors"
)

// MaxToken is the size in bytes of the largest token that a handshake may carry.
const MaxToken = 16 << 10

var errExpired = errors.New("the credentials have expired")

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

// setHandshakeContext gives calls that begin from now on the values of ctx, which
// Settings.Authenticate has made from base.
func (s *Session) setHandshakeContext(base, ctx context.Context, byToken bool) context.Context {
	h := &handshakeContext{s.lifetime, context.WithoutCancel(ctx), context.WithoutCancel(base), byToken}
	s.current.Store(h)
	return h
}
