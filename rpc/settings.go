package rpc

import (
	"context"
	"log/slog"

	"github.com/wirecall/wirecall/internal/fault"
)

// settings are what the sessions of one side have in common.
type settings struct {
	limits engineLimits
	log    *slog.Logger

	lookup  func(name []byte) *servedMethod // the method of that name, nil if it is not served
	unknown func(name string) *servedMethod // a method whose calls fail
	events  func(*session) events           // of a session that a server makes
	cause   func(error) error               // why a session ends, as users are told

	replayBuffer int                          // bytes kept to resume a session; 0 is none
	sessions     *sessions                    // a server's that can be resumed, nil where none can
	identify     func(context.Context) string // whose connection it is that has such a context; a server's
	onLeave      func(*session)               // see session.leave

	refused func(s *session, method []byte, e *fault.Error) // is told of requests that do not run; nil for nobody. It must not block
}

// events are what a session reports to the connection that it belongs to. The
// methods do not block.
type events interface {
	// attached is called when the session has a new transport, detached when it has
	// lost it and may be resumed, ended when it has ended, and goaway when its server
	// shuts down: within the first of ms milliseconds, if there is one.
	attached()
	detached(s *session, cause error)
	ended(s *session, cause error)
	goaway(s *session, ms []int64)
}
