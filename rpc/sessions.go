package rpc

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/internal/session"
)

// SessionOptions configure how a Server keeps the sessions of clients that were
// disconnected. The zero value of each field means its default. Negative numbers, and a
// Window below a millisecond, are invalid.
type SessionOptions struct {
	// Window is how long a session is kept for its client after its socket was lost.
	// Handlers continue meanwhile. The default is 2 minutes.
	Window time.Duration

	// Principal returns the principal of a connection, from the values that a middleware
	// has put into its request's context. A session is resumed only by the principal that
	// began it; for any other it does not exist. The default is that anyone who has the
	// session's token may resume it: the token has 192 random bits, is sent only to the
	// client, and is never logged.
	Principal func(ctx context.Context) string

	// MaxDetached is how many sessions may wait for their clients at once.
	// MaxDetachedBytes is how many bytes they may hold together, of which a session
	// itself counts 16 KiB and each of its calls and streams 8 KiB until it has ended.
	// MaxPerPrincipal is how many of them one principal may have, if there is a Principal
	// and its result is not empty. Above a limit the session that has waited longest
	// ends. The defaults are 10,000, 256 MiB and 100.
	MaxDetached      int
	MaxDetachedBytes int
	MaxPerPrincipal  int

	// Nodes, if not nil, are the nodes of a cluster of which the server is one: those of
	// the module cluster. A client may then resume its session through the server of any
	// node, which redirects it to the node that has the session, if that has a URL of its
	// own and the client follows, and otherwise forwards its socket. Both servers must
	// accept the client: the one that was asked as for its own sessions, and its principal
	// must be that of the session; the other with its Authenticate, whose context has the
	// values of the session's last handshake there. A value of Nodes is for one Server.
	Nodes relay.Nodes
}

// Validate returns an error that names the first invalid field of o, or nil if there is
// none or o is nil.
func (o *SessionOptions) Validate() error {
	if o == nil {
		return nil
	}
	if o.Nodes != nil && !relay.ValidName(o.Nodes.Name()) {
		return fmt.Errorf("SessionOptions.Nodes has %q for the name of this node: want 1 to %d of A-Z, a-z, 0-9, _ and -", o.Nodes.Name(), relay.MaxName)
	}
	return checkNumbers("SessionOptions", *o, "")
}

// registry returns the registry of a server's sessions, or nil for a nil o.
func (o *SessionOptions) registry() *session.Registry {
	if o == nil {
		return nil
	}
	d := o.withDefaults()
	return session.NewRegistry(session.RegistryBounds{
		Window: d.Window, MaxDetached: d.MaxDetached, MaxDetachedBytes: d.MaxDetachedBytes, MaxPerPrincipal: d.MaxPerPrincipal,
	}, o.Nodes)
}

func (o SessionOptions) withDefaults() SessionOptions {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.MaxDetached, 10_000)
	def(&o.MaxDetachedBytes, 256<<20)
	def(&o.MaxPerPrincipal, 100)
	if o.Window == 0 {
		o.Window = 2 * time.Minute
	}
	return o
}

// principalOf returns a function that returns the principal of a context's connection:
// "" without SessionOptions.Principal. The function runs user code and so must not be
// called on a reader. If that panics, the principal is a random one, so that the
// session cannot be resumed.
func (c *config) principalOf(o *SessionOptions) func(context.Context) string {
	if o == nil || o.Principal == nil {
		return func(context.Context) string { return "" }
	}
	return func(ctx context.Context) string {
		principal, err := guarded(ctx, c.Log, "SessionOptions.Principal", func(ctx context.Context) (string, error) { return o.Principal(ctx), nil })
		if err != nil {
			return rand.Text()
		}
		return principal
	}
}
