package session

import (
	"log/slog"
	"time"

	"github.com/wirecall/wirecall/internal/relay"
)

// testSettings returns settings of a session that serves nothing and whose events do
// nothing.
func testSettings() *Settings {
	return &Settings{
		Limits: Limits{
			MessageBytes: 1 << 20, Calls: 256, Streams: 256, BufferedBytes: 16 << 20, Notifications: 4096, NotificationBytes: 1 << 20,
			BatchMessages: 1000, BatchReplyBytes: 4 << 20, WindowItems: 64, WindowBytes: 64 << 10, SendQueueBytes: 1 << 20, ReplayBytes: 1 << 20,
			HandshakeTimeout: 10 * time.Second, IdleTimeout: time.Minute, WriteTimeout: 30 * time.Second, LingerTimeout: 5 * time.Second,
		},
		Log:    slog.New(slog.DiscardHandler),
		Lookup: func([]byte) *Method { return nil },
		Events: func(*Session) Events { return noEvents{} },
		Cause:  func(err error) error { return err },
	}
}

// oneNode is a node of a cluster that knows no other.
type oneNode struct{ relay.Nodes }

func (oneNode) Name() string      { return "n1" }
func (oneNode) URL(string) string { return "" }

func testRegistry() *Registry {
	return NewRegistry(RegistryBounds{Window: 2 * time.Minute, MaxDetached: 10_000, MaxDetachedBytes: 256 << 20, MaxPerPrincipal: 100}, nil)
}

type noEvents struct{}

func (noEvents) Attached()                {}
func (noEvents) Detached(*Session, error) {}
func (noEvents) Ended(*Session, error)    {}
func (noEvents) Goaway(*Session, []int64) {}
