package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	nodes "github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A testCluster is some servers in one process, each a node, behind a balancer without
// affinity: each connection reaches the next node.
type testCluster struct {
	all    []*testNode
	behind atomic.Pointer[[]*testNode] // the balancer; nil for all
	next   atomic.Int64                // the node of the next connection
	log    safeBuffer                  // of all nodes and clients
}

// A testNode is one of them. It implements relay.Nodes.
type testNode struct {
	srv     *rpc.Server
	cluster *testCluster
	name    string
	front   rpctest.Network // carries connections of clients to it
	back    rpctest.Network // carries links of other nodes to it
	clients net.Listener
	links   net.Listener

	gone    atomic.Bool                                     // it has left the cluster
	url     atomic.Pointer[string]                          // see relay.Nodes; nil for none
	dialing atomic.Pointer[func(ctx context.Context) error] // is called before a link from it is dialed; may be nil
}

// sessions returns how many sessions the node has.
func (n *testNode) sessions() (count int) {
	for range n.srv.Connections() {
		count++
	}
	return count
}

// Name implements relay.Nodes.
func (n *testNode) Name() string { return n.name }

// URL implements relay.Nodes.
func (n *testNode) URL(name string) string {
	if to := n.cluster.find(name); to != nil {
		if url := to.url.Load(); url != nil {
			return *url
		}
	}
	return ""
}

// Dial implements relay.Nodes.
func (n *testNode) Dial(ctx context.Context, name string) (net.Conn, error) {
	if before := n.dialing.Load(); before != nil {
		if err := (*before)(ctx); err != nil {
			return nil, err
		}
	}
	to := n.cluster.find(name)
	if to == nil || to.gone.Load() {
		return nil, fmt.Errorf("node %s: %w", name, nodes.ErrGone)
	}
	return to.back.Dial(ctx, "link", name)
}

// Serve implements relay.Nodes.
func (n *testNode) Serve(f func(net.Conn)) {
	n.links = n.back.Listen()
	go func() {
		for {
			link, err := n.links.Accept()
			if err != nil {
				return
			}
			go f(link)
		}
	}()
}

// fewNodes are a cluster of which a node is our side in a conversation, with the name that
// is its value. Another, n2, has a URL and takes no links. There is no other.
type fewNodes string

func (n fewNodes) Name() string         { return string(n) }
func (n fewNodes) Serve(func(net.Conn)) {}

func (n fewNodes) URL(node string) string {
	if node == "n2" {
		return "ws://n2.test/rpc"
	}
	return ""
}

func (n fewNodes) Dial(_ context.Context, node string) (net.Conn, error) {
	if node == "n2" {
		return nil, errors.New("no link to it")
	}
	return nil, nodes.ErrGone
}

// startCluster starts nodes n1, n2 and so on. opts, which may be nil, returns the options
// of each; Sessions.Nodes is set here.
func startCluster(t *testing.T, size int, opts func() *rpc.ServerOptions, services ...rpc.Service) *testCluster {
	t.Helper()
	c := new(testCluster)
	var served sync.WaitGroup
	for i := range size {
		n := &testNode{cluster: c, name: fmt.Sprintf("n%d", i+1)}
		o := &rpc.ServerOptions{}
		if opts != nil {
			o = opts()
		}
		if o.Sessions == nil {
			o.Sessions = &rpc.SessionOptions{}
		}
		o.Sessions.Nodes, o.Logger = n, c.logger()
		o.Codecs = []codec.Codec{cbor.Codec}
		n.srv = server(o, services...)
		c.all = append(c.all, n)
		n.clients = n.front.Listen()
		served.Go(func() { http.Serve(n.clients, withCaller(n.srv)) })
	}
	t.Cleanup(func() {
		for _, n := range c.all {
			n.clients.Close()
			n.links.Close()
			n.srv.Close()
			n.front.Cut()
			n.back.Cut()
		}
		served.Wait()
	})
	return c
}

func (c *testCluster) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (c *testCluster) find(name string) *testNode {
	for _, n := range c.all {
		if n.name == name {
			return n
		}
	}
	return nil
}

// netDial connects to the node that an address names, n2.lb:80, or to the next for the
// address of the balancer.
func (c *testCluster) netDial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, _ := strings.Cut(addr, ".")
	n := c.find(host)
	if addr == "lb:80" {
		behind := c.all
		if some := c.behind.Load(); some != nil {
			behind = *some
		}
		n = behind[int(c.next.Add(1)-1)%len(behind)]
	}
	if n == nil || n.gone.Load() {
		return nil, fmt.Errorf("dial %s: it is gone", addr)
	}
	return n.front.Dial(ctx, network, addr)
}

// dial connects a client through the balancer.
func (c *testCluster) dial(t *testing.T, opts *rpc.DialOptions) *rpc.Conn {
	t.Helper()
	if opts == nil {
		opts = &rpc.DialOptions{}
	}
	opts.Resume, opts.NetDial, opts.Logger = true, c.netDial, c.logger()
	conn, err := rpc.Dial(t.Context(), "ws://lb/", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// cut cuts all connections of clients, and returns their number.
func (c *testCluster) cut() (n int) {
	for _, to := range c.all {
		n += to.front.Cut()
	}
	return n
}

// cutLinks cuts all links, and returns their number.
func (c *testCluster) cutLinks() (n int) {
	for _, to := range c.all {
		n += to.back.Cut()
	}
	return n
}

// await waits for a phase of a connection.
func await(t *testing.T, c *rpc.Conn, p rpc.Phase) rpc.State {
	t.Helper()
	return (&breaking{Conn: c}).await(t, p)
}

// A safeBuffer is a bytes.Buffer for several goroutines.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
