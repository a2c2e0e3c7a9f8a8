package chaos

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/topic"
)

// Config is how a node is started.
type config struct {
	name   string
	nats   string // URL
	url    string // where clients reach this node alone, or empty
	stores int    // NATS servers that store everything
	lease  time.Duration
}

// nodeConfig is the variable of the environment with a node's config.
const nodeConfig = "CHAOS_NODE"

func (c *config) env() []string {
	return []string{fmt.Sprintf("%s=%s %s %d %d %s", nodeConfig, c.name, c.nats, c.stores, c.lease, c.url)}
}

func configOf(env string) (c config, err error) {
	_, err = fmt.Sscanf(env, "%s %s %d %d", &c.name, &c.nats, &c.stores, &c.lease)
	c.url = env[strings.LastIndex(env, " ")+1:]
	return c, err
}

// runNode is a node that shuts down when it is terminated.
func runNode(ready func(addr string)) error {
	terminated, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	conf, err := configOf(os.Getenv(nodeConfig))
	if err != nil {
		return err
	}
	n, err := newNode(terminated, &conf)
	if terminated.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	ready(n.addr)
	<-terminated.Done()
	return n.shutdown(grace)
}

// A node serves Board.
type node struct {
	addr   string
	nc     *nats.Conn
	member *cluster.Node // nil without NATS
	srv    *rpc.Server
	web    *http.Server
}

// natsOptions are those of connections to NATS. A server that is paused is taken for dead
// sooner than by default.
var natsOptions = []nats.Option{
	nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.IgnoreDiscoveredServers(),
	nats.ReconnectWait(100 * time.Millisecond), nats.PingInterval(2 * time.Second),
}

// newNode starts a node. It waits for NATS until ctx ends.
func newNode(ctx context.Context, conf *config) (*node, error) {
	nc, err := nats.Connect(conf.nats, natsOptions...)
	if err != nil {
		return nil, err
	}
	bus, err := newBus(ctx, nc, conf.stores)
	if err != nil {
		nc.Close()
		return nil, err
	}
	member, err := cluster.Join(ctx, nc, &cluster.NodeOptions{Name: fmt.Sprint(conf.name, "-", rand.Text()), URL: conf.url, Secret: []byte(secret), LeaseTime: conf.lease})
	if err != nil {
		nc.Close()
		return nil, err
	}
	n, err := serve(&board{node: conf.name, bus: bus, nc: nc, member: member, here: member.Presence()})
	if err != nil {
		return nil, err
	}
	n.member = member
	return n, nil
}

// secret is that of all nodes.
const secret = "the secret of nodes that nobody else has"

// lease is how long a node may be silent until others take it for gone, where a test does not
// say otherwise.
const lease = 3 * time.Second

// soon is within how long the end of a node must be known, on a machine that has much else to
// do.
const soon = lease + 10*time.Second

// serve starts a node with a board.
func serve(b *board) (*node, error) {
	sessions := &rpc.SessionOptions{}
	if b.member != nil {
		sessions.Nodes = b.member.Sessions()
	}
	n := &node{nc: b.nc, srv: rpc.NewServer(&rpc.ServerOptions{Sessions: sessions, Limits: limits, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})}
	n.srv.Register(BoardService(b))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n.addr = ln.Addr().String()
	n.web = &http.Server{Handler: n.srv, ReadHeaderTimeout: 10 * time.Second}
	go n.web.Serve(ln)
	return n, nil
}

// newBus returns a bus that keeps all posts. It tries again until ctx ends.
func newBus(ctx context.Context, nc *nats.Conn, stores int) (topic.Bus, error) {
	for {
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		bus, err := cluster.NewBus(limited, nc, &cluster.BusOptions{Replicas: stores, Classes: map[string]topic.Retention{classOfRooms: {Events: 1_000_000}}})
		cancel()
		if err == nil || ctx.Err() != nil {
			return bus, cmp.Or(err, ctx.Err())
		}
	}
}

// shutdown gives clients and calls so much time to finish.
func (n *node) shutdown(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := errors.Join(n.srv.Shutdown(ctx), n.web.Shutdown(ctx), n.flush(ctx))
	n.kill()
	return err
}

// flush waits until NATS has what was published, which it may be away for.
func (n *node) flush(ctx context.Context) error {
	for {
		trying, cancel := context.WithTimeout(ctx, time.Second)
		err := n.nc.FlushWithContext(trying)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// kill ends the node, as far as that can be within a process.
func (n *node) kill() {
	n.web.Close()
	n.srv.Close()
	if n.member != nil {
		n.member.Close()
		n.nc.Close()
	}
}

// limits are those of nodes and clients. A peer is taken for dead sooner than by default,
// since some are paused.
var limits = rpc.Limits{HandshakeTimeout: 5 * time.Second, IdleTimeout: 8 * time.Second}
