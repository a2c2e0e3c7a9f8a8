package rpc

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/wirecall/wirecall/internal/fault"
)

// An authentication is the type of ServerOptions.Authenticate.
type authentication = func(ctx context.Context, token string) (context.Context, error)

// messageUnauthenticated is the message that a client receives for an error that is not
// an *Error.
const messageUnauthenticated = "the credentials are not accepted"

// authenticator returns f in the form that the session package calls, or nil for a nil
// f. If f panics, the client is refused.
func (c *config) authenticator(f authentication) func(context.Context, string) (context.Context, *fault.Error) {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, token string) (under context.Context, refusal *fault.Error) {
		under, err := guarded(ctx, c.Log, "ServerOptions.Authenticate", func(ctx context.Context) (context.Context, error) { return f(ctx, token) })
		if err != nil {
			return nil, refusalOf(err)
		}
		if under == nil {
			under = ctx
		}
		return under, nil
	}
}

// refusalOf returns the error that a client receives for an error of an authentication:
// the message of an *Error, and no other error's.
func refusalOf(err error) *fault.Error {
	f := &fault.Error{Code: fault.Unauthenticated, Message: messageUnauthenticated, Ran: fault.No}
	switch code := CodeOf(err); code {
	case CodeUnauthenticated, CodePermissionDenied, CodeUnavailable, CodeLimitReached:
		f.Code = int(code)
	}
	if e, ok := errors.AsType[*Error](err); ok {
		f.Message, f.Retry = cmp.Or(e.Message, f.Message), e.Retry
	}
	return f
}

// authenticateHTTP authenticates a request by its bearer token and returns the context
// of its handlers. If the request is refused, it writes the response and returns false.
func (s *Server) authenticateHTTP(w http.ResponseWriter, r *http.Request) (context.Context, bool) {
	if s.config.Authenticate == nil {
		return r.Context(), true
	}
	ctx, refusal := s.config.Authenticate(r.Context(), bearerToken(r))
	if refusal == nil {
		return ctx, true
	}
	status := http.StatusServiceUnavailable
	switch refusal.Code {
	case fault.Unauthenticated:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, section 11.6.1
	case fault.PermissionDenied:
		status = http.StatusForbidden
	}
	http.Error(w, refusal.Message, status)
	return nil, false
}

// withValues returns a context with the values of values that ends with request. The
// deadline of values, which is when credentials expire, does not end a request that was
// accepted with them.
func withValues(request, values context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(values))
	context.AfterFunc(request, func() { cancel(context.Cause(request)) })
	return ctx
}

// bearerToken returns the token of the Authorization header (RFC 6750, section 2.1), or
// "" if there is none.
func bearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
