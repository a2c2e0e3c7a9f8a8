package session

import (
	"context"
	"log/slog"

	"github.com/wirecall/wirecall/internal/fault"
)

// settings are what the sessions of one side have in common.
type Settings struct {
	Limits Limits
	Log    *slog.Logger

	Lookup  func(name []byte) *Method // the method of that name, nil if it is not served
	Unknown func(name string) *Method // a method whose calls fail
	Events  func(*Session) Events     // of a session that a server makes
	Cause   func(error) error         // why a session ends, as users are told

	ReplayBytes int                          // bytes kept to resume a session; 0 is none
	Registry    *Registry                    // a server's that can be resumed, nil where none can
	Identify    func(context.Context) string // whose connection it is that has such a context; a server's
	OnLeave     func(*Session)               // see session.leave

	Token        func(context.Context) (string, error)                                   // a client's credentials; nil for none
	Authenticate func(ctx context.Context, token string) (context.Context, *fault.Error) // a server's; nil takes everybody

	Refused func(s *Session, method []byte, e *fault.Error) // is told of requests that do not run; nil for nobody. It must not block
}

// events are what a session reports to the connection that it belongs to. The
// methods do not block.
type Events interface {
	// attached is called when the session has a new transport, detached when it has
	// lost it and may be resumed, ended when it has ended, and goaway when its server
	// shuts down: within the first of ms milliseconds, if there is one.
	Attached()
	Detached(s *Session, cause error)
	Ended(s *Session, cause error)
	Goaway(s *Session, ms []int64)
}
