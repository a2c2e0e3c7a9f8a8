package cluster

import (
	"context"
	"net"
	"time"

	"github.com/wirecall/wirecall/cluster/internal/people"
	"github.com/wirecall/wirecall/rpc"
)

const (
	// peopleService is the service of links by which a node calls the clients of another.
	peopleService = "people"

	// idleLink is after how long without use such a link is closed.
	idleLink = 5 * time.Minute
)

func (n *Node) newPeople() *people.People {
	return people.New(people.Options{
		Node:      n.opts.Name,
		Directory: bindings{n},
		Dial:      func(ctx context.Context, node string) (net.Conn, error) { return n.dial(ctx, node, peopleService) },
		IdleTime:  idleLink,
		Logger:    n.opts.Logger,
	})
}

// Bind binds the client that the handler of ctx serves to a name, by which all nodes can
// call it; see Peer. It is bound until its connection ends or Unbind is called, also while
// its session waits for it after a cut. To bind it to the same name again has no effect. A
// client can have any number of names, and a name any number of clients: its devices.
//
// A name may be any text of up to 512 bytes, also one that the client has sent. Bind does
// not check whether the client may have it.
//
// The error is an *rpc.Error: CodeNeedsWirecall for a client that cannot be called, such
// as in a POST, in plain mode, or if ctx is not that of a handler; CodeInvalidParams for
// a name that is empty or too long. While NATS cannot be reached Bind returns nil, and
// other nodes find the client as soon as they and this one reach it.
func (n *Node) Bind(ctx context.Context, name string) error { return n.people.Bind(ctx, name) }

// Unbind ends what Bind has begun, for the client that the handler of ctx serves.
func (n *Node) Unbind(ctx context.Context, name string) { n.people.Unbind(ctx, name) }

// Peer returns a Caller that calls who is bound to a name, on any node: give it to a
// generated client. The name is looked up for each call, which goes to the device that
// was bound last. If that has gone before the call has run, or if it is lost and the
// method is idempotent, the next one is called; a call with streams among its parameters
// is sent once. A call to a client that is disconnected waits for its session, under its
// context.
//
// If nobody is bound, calls fail at once with CodeUnavailable, as not having run; see
// rpc.NotRun. With the same code a call fails whose client or node is lost while it runs,
// and may have run then. A notification has been handed to the client's connection when
// its call returns.
//
// On the client's node the call passes the interceptors and observers of its server. If
// the caller is on another node, its Params and Result are opaque to them.
func (n *Node) Peer(name string) rpc.Caller { return n.people.Peer(name) }

// Peers returns a Caller for each device that is bound to a name, that which was bound
// last first, and none if nobody is. Each stays with its device; a call to one that has
// gone fails as one of Peer to nobody. The error is that of the look-up.
func (n *Node) Peers(ctx context.Context, name string) ([]rpc.Caller, error) {
	return n.people.Peers(ctx, name)
}

// bindings are the devices among the entries of the nodes. They implement
// people.Directory.
type bindings struct{ node *Node }

func (b bindings) Put(name, device string, value []byte) (stored <-chan error) {
	return b.node.entries().put(kindBinding, name, device, value)
}

func (b bindings) Remove(name, device string) {
	b.node.entries().remove(kindBinding, name, device)
}

// List fails at once while NATS cannot be reached, since callers then try their own node.
func (b bindings) List(ctx context.Context, name string) (all []people.Entry, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerWithin, errAway)
	defer cancel()
	list, err := b.node.entries().list(ctx, kindBinding, name)
	for _, e := range list {
		all = append(all, people.Entry{Node: e.node, Device: e.device, Value: e.value})
	}
	return all, err
}
