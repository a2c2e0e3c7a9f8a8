package cluster

import (
	"context"
	"net"

	"github.com/wirecall/wirecall/internal/relay"
)

// sessionService is the service of links by which a node reaches the sessions of another.
const sessionService = "session"

// Sessions returns what rpc.SessionOptions.Nodes takes, so that a client can come back to
// its session through any node. It is for one server.
func (n *Node) Sessions() relay.Nodes { return sessions{n} }

// sessions implements relay.Nodes.
type sessions struct{ node *Node }

func (s sessions) Name() string { return s.node.Name() }

func (s sessions) URL(node string) string {
	m, _ := s.node.members.Node(node)
	return m.URL
}

func (s sessions) Dial(ctx context.Context, node string) (net.Conn, error) {
	return s.node.dial(ctx, node, sessionService)
}

func (s sessions) Serve(f func(link net.Conn)) { s.node.handle(sessionService, f) }
