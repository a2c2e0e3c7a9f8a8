package session

import (
	"context"
	"log/slog"

	"github.com/wirecall/wirecall/internal/fault"
)

// Settings are what the sessions of one side have in common.
type Settings struct {
	Limits Limits
	Log    *slog.Logger

	Lookup    func(name []byte) *Method    // returns the method of that name, nil if it is not served
	PlainName func(name []byte) *PlainName // returns what plain clients call by a name that no method has; nil for none; may be nil
	Unknown   func(name string) *Method    // returns a method whose calls fail
	Events    func(*Session) Events        // returns the events of a server's session
	Cause     func(error) error            // converts the cause of a session's end to what users see

	ReplayBytes int                          // bytes kept to resume a session; 0 for none
	Registry    *Registry                    // a server's resumable sessions; nil if there are none
	Identify    func(context.Context) string // returns the principal of a connection with that context; a server's
	OnLeave     func(*Session)               // see Session.reportLeft; may be nil

	Token        func(context.Context) (string, error)                                   // returns a client's token; may be nil
	Authenticate func(ctx context.Context, token string) (context.Context, *fault.Error) // checks a client's token; nil accepts every client; a server's

	Refused func(s *Session, method []byte, e *fault.Error) // is called for requests that are refused; must not block; may be nil
}

// Events are the callbacks of a session to its connection. They must not block.
type Events interface {
	// Attached is called when the session has a new transport; Detached when it has lost
	// its transport and may be resumed; Ended when it has ended; Goaway when the peer
	// begins to drain, where ms[0], if there is one, is the time in milliseconds until
	// its deadline.
	Attached()
	Detached(s *Session, cause error)
	Ended(s *Session, cause error)
	Goaway(s *Session, ms []int64)
}
