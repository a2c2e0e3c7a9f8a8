package cluster

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster/internal/members"
	"github.com/wirecall/wirecall/cluster/internal/people"
	"github.com/wirecall/wirecall/internal/relay"
)

// NodeOptions configures a Node.
type NodeOptions struct {
	// Secret is what makes a process a node: at least 32 random bytes, the same on all
	// nodes. It is required. It authenticates and encrypts what nodes send each other,
	// and is not sent itself.
	Secret []byte

	// Name is the name of the node, 1 to 64 of A-Za-z0-9_-. No two nodes have one name at a
	// time, and a process that takes the name of one that has crashed waits for it; see
	// Join. The default is random, and never waits.
	Name string

	// URL is where clients reach this node and no other, as wss://n7.example.com/rpc. If
	// it is set, clients that come to another node for their session may be sent there.
	URL string

	// LeaseTime is how long a node may be silent until the others take it for gone. It
	// renews its lease every third of it, and is taken for gone when two thirds of it
	// have passed at least. It is gone earlier if another node needs it, for a client that
	// comes back or a call, and it has had no connection to NATS for four seconds: after a
	// crash, say. The default is 15 seconds, the least is 100 milliseconds.
	LeaseTime time.Duration

	// MaxLinks is how many connections to other nodes this one has at most, over NATS, in
	// both directions. Each session that is used through another node takes one. The
	// default is 16,384.
	MaxLinks int

	// Prefix begins the subjects of the nodes, in lower case, as in BusOptions. The
	// default is WC. Clusters that share servers of NATS need prefixes of their own.
	Prefix string

	// Replicas is on how many servers of NATS it is stored who is here. With the default, 1, it
	// is lost with that server, and the nodes store it again.
	Replicas int

	// Logger receives what changes between this node and NATS, and what is refused from
	// others. The default is slog.Default().
	Logger *slog.Logger
}

const (
	minSecret    = 32
	minLease     = 100 * time.Millisecond
	defaultLease = 15 * time.Second
	defaultLinks = 16_384
)

// A Node is this process as one of a cluster. Its methods may be called by any number of
// goroutines.
type Node struct {
	nc      *nats.Conn
	opts    NodeOptions
	members *members.Members
	ctx     context.Context // ends with the node; its cause is what Err returns
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
	subs    []*nats.Subscription
	links   *links
	people  *people.People
	stored  struct {
		once     sync.Once
		*entries // set by the first use
	}
}

var (
	// ErrNameTaken is the error, or is wrapped by the error, of a node whose name another
	// node has.
	ErrNameTaken = errors.New("cluster: another node has this name")

	// ErrNodeClosed is what Node.Err returns after Close.
	ErrNodeClosed = errors.New("cluster: the node is closed")
)

// Join makes this process a node of the cluster of all nodes on the same NATS with the
// same prefix. It returns when the others know it and it knows them, or ctx ends. The
// connection stays the caller's. It must not have nats.NoEcho, and should have
// nats.MaxReconnects(-1) and a nats.ReconnectWait of less than four seconds, such as the default.
//
// If a node has the name, the error wraps ErrNameTaken. Of two that join at the same
// moment with one name, one may lose it after Join has returned: watch Done. The name of a
// process that has crashed is free when the other nodes have taken that for gone, for which
// Join waits, and which it logs.
//
// Join fails if there are nodes with another secret, and none with this one.
func Join(ctx context.Context, nc *nats.Conn, opts *NodeOptions) (*Node, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if nc.Opts.NoEcho {
		return nil, errors.New("cluster: the connection to NATS has the option NoEcho, with which a node does not see its own lease")
	}
	n := &Node{nc: nc, opts: o}
	n.ctx, n.cancel = context.WithCancelCause(context.Background())
	if err := n.join(ctx); err != nil {
		n.cancel(err)
		n.end()
		if ctx.Err() != nil && !nc.IsConnected() {
			err = fmt.Errorf("%w: %w", errAway, err)
		}
		if last := nc.LastError(); ctx.Err() != nil && last != nil {
			err = fmt.Errorf("%w; the last error of the connection to NATS: %w", err, last) // a missing permission, say
		}
		return nil, fmt.Errorf("cluster: join as node %s: %w", o.Name, err)
	}
	return n, nil
}

// withDefaults checks options.
func (o *NodeOptions) withDefaults() (NodeOptions, error) {
	if o == nil || len(o.Secret) < minSecret {
		return NodeOptions{}, fmt.Errorf("cluster: NodeOptions.Secret must have at least %d bytes", minSecret)
	}
	all := *o
	if all.Name == "" {
		all.Name = rand.Text()
	}
	if !relay.ValidName(all.Name) {
		return all, fmt.Errorf("cluster: NodeOptions.Name %q must have 1 to %d of A-Za-z0-9_-", all.Name, relay.MaxName)
	}
	if u, err := url.Parse(all.URL); all.URL != "" && (err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "") {
		return all, fmt.Errorf("cluster: NodeOptions.URL %q is no URL of a WebSocket", all.URL)
	}
	if all.LeaseTime == 0 {
		all.LeaseTime = defaultLease
	}
	if all.LeaseTime < minLease {
		return all, fmt.Errorf("cluster: NodeOptions.LeaseTime %v is less than %v", all.LeaseTime, minLease)
	}
	if all.MaxLinks <= 0 {
		all.MaxLinks = defaultLinks
	}
	if all.Prefix == "" {
		all.Prefix = defaultPrefix
	}
	if all.Logger == nil {
		all.Logger = slog.Default()
	}
	return all, nil
}

// key derives a key from the secret for one purpose.
func (o *NodeOptions) key(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, o.Secret, nil, "wirecall cluster "+purpose, 32)
}

// join subscribes to the notices of nodes, claims the name and announces the node.
func (n *Node) join(ctx context.Context) error {
	key, err := n.opts.key("notices")
	if err != nil {
		return err
	}
	n.members = members.New(members.Options{
		Name: n.opts.Name, URL: n.opts.URL, Lease: n.opts.LeaseTime,
		Key: key, Log: n.opts.Logger, Send: n.sendNotice, Ask: n.ask,
	})
	receive := func(m *nats.Msg) { n.members.Receive(m.Data) }
	if err := n.subscribe(n.subject("node", "notice"), receive); err != nil {
		return err
	}
	if err := n.reach(ctx); err != nil {
		return err
	}
	if err := n.members.Claim(ctx); err != nil {
		return named(err)
	}
	if err := n.startLinks(); err != nil {
		return err
	}
	n.people = n.newPeople()
	n.handle(peopleService, n.people.Serve)
	n.running.Go(n.run)
	if err := n.joined(ctx); err != nil {
		return err
	}
	if err := n.subscribe(n.subject("node", "ask"), receive); err != nil {
		return err
	}
	n.members.Renew()   // for those who have asked before there was an answer
	return n.reach(ctx) // so that who asks from now on has one
}

// run renews the node's lease until the node ends, and breaks its links then.
func (n *Node) run() {
	n.cancel(named(n.members.Run(n.ctx)))
	n.people.Close()
	n.links.close()
}

// reach waits until a server of NATS has what was sent to it.
func (n *Node) reach(ctx context.Context) error {
	for {
		trying, cancel := context.WithTimeout(ctx, answerWithin)
		err := n.nc.FlushWithContext(trying)
		cancel()
		switch {
		case err == nil || n.nc.IsClosed():
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}

// named is the error of package members as this package names it.
func named(err error) error {
	if errors.Is(err, members.ErrTaken) {
		return ErrNameTaken
	}
	return err
}

// joined waits until the node sees itself.
func (n *Node) joined(ctx context.Context) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)()
	for c := range n.watchNodes(waiting) {
		if c.Name == n.opts.Name && c.Here {
			return nil
		}
	}
	if n.ctx.Err() != nil {
		return context.Cause(n.ctx)
	}
	return context.Cause(ctx)
}

// subject returns the subject of a kind and of what follows it.
func (n *Node) subject(kind string, rest ...string) string {
	return strings.ToLower(n.opts.Prefix) + "." + kind + "." + strings.Join(rest, ".")
}

// subscribe calls f for each message until the node ends.
func (n *Node) subscribe(subject string, f func(*nats.Msg)) error {
	sub, err := n.nc.Subscribe(subject, f)
	if err != nil {
		return err
	}
	n.subs = append(n.subs, sub)
	return nil
}

// sendNotice sends a notice to all nodes, or as an answer to one.
func (n *Node) sendNotice(to string, notice []byte) error {
	subject := n.subject("node", "notice")
	if to != "" {
		subject = n.subject("node", "answer", to)
	}
	err := n.nc.Publish(subject, notice)
	if errors.Is(err, nats.ErrConnectionClosed) {
		n.cancel(fmt.Errorf("cluster: %w", err))
		return nil // it has left
	}
	return err
}

// ask asks all nodes and passes their answers to f until it returns true.
func (n *Node) ask(ctx context.Context, from string, notice []byte, f func([]byte) bool) error {
	answers := n.subject("node", "answer", from)
	sub, err := n.nc.SubscribeSync(answers)
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	if err := n.nc.PublishRequest(n.subject("node", "ask"), answers, notice); err != nil {
		return err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		switch {
		case errors.Is(err, nats.ErrNoResponders): // there is no other node
			return nil
		case err != nil:
			return err
		case f(m.Data):
			return nil
		}
	}
}

// Name returns the name of the node. It never changes.
func (n *Node) Name() string { return n.opts.Name }

// A NodeInfo is what a node knows of another, or of itself.
type NodeInfo struct {
	Name string
	URL  string // where clients reach it; empty unless NodeOptions.URL is set
}

// Nodes returns the nodes whose leases are held, by name, this one among them. While NATS
// cannot be reached it returns those of before.
func (n *Node) Nodes() []NodeInfo {
	var all []NodeInfo
	for _, o := range n.members.Nodes() {
		all = append(all, NodeInfo{o.Name, o.URL})
	}
	return all
}

// Done returns a channel that is closed when the node has left the cluster: after Close,
// when its connection to NATS was closed, or when another node has its name. A node that
// was away for longer than its lease joins again by itself, and is not done.
func (n *Node) Done() <-chan struct{} { return n.ctx.Done() }

// Err returns nil until the node has left the cluster, and then why.
func (n *Node) Err() error { return context.Cause(n.ctx) }

// Close leaves the cluster: the other nodes learn of it at once, and links to this node
// break. To end its clients' connections first, call rpc.Server.Shutdown before it.
func (n *Node) Close() {
	n.cancel(ErrNodeClosed)
	n.end()
}

// end waits until nothing of the node runs, and takes it out of the cluster.
func (n *Node) end() {
	n.running.Wait()
	if n.people != nil {
		n.people.Close()
	}
	if n.links != nil {
		n.links.close()
	}
	n.entries().wait()
	if n.members != nil {
		if err := n.members.Leave(); err != nil {
			n.opts.Logger.Warn("cluster: leave", "node", n.opts.Name, "error", err)
		}
	}
	for _, sub := range n.subs {
		sub.Unsubscribe()
	}
	if n.nc.IsConnected() {
		n.nc.FlushTimeout(time.Second) // the process may end next
	}
}

// alive reports whether a node holds its lease.
func (n *Node) alive(name string) bool {
	_, ok := n.members.Node(name)
	return ok
}

// A nodeChange is that a node came or has left.
type nodeChange = members.Change

// watchNodes returns the nodes that are there, this one among them, and then those that
// come and leave, until ctx ends. If this one has left and is here again, the others took
// it for gone for a while.
func (n *Node) watchNodes(ctx context.Context) iter.Seq[nodeChange] {
	return n.members.Watch(ctx)
}
