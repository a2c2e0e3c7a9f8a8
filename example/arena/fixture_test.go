package arena

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
	"github.com/wirecall/wirecall/rpc/topic"
)

// A fixture is an arena of some nodes on one bus, in a bubble.
type fixture struct {
	t     *testing.T
	nodes []*node
}

// A node serves over a network of its own.
type node struct {
	host    *Host
	srv     *rpc.Server
	bus     *faultyBus
	network *rpctest.Network
	web     *http.Server
	down    atomic.Bool
}

func newFixture(t *testing.T, nodes int) *fixture {
	f := &fixture{t: t}
	shared := &topic.Memory{Classes: Classes}
	for i := range nodes {
		f.nodes = append(f.nodes, newNode(t, shared, fmt.Sprint("node ", i)))
	}
	return f
}

func newNode(t *testing.T, shared topic.Bus, name string) *node {
	n := &node{bus: &faultyBus{Bus: shared}, network: &rpctest.Network{}}
	n.host = NewHost(n.bus, name)
	n.srv = rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
	n.srv.Register(ArenaService(n.host))
	n.web = &http.Server{Handler: n.srv}
	go n.web.Serve(n.network.Listen())
	t.Cleanup(func() {
		n.web.Close()
		n.srv.Close()
		n.host.Close()
	})
	return n
}

// die ends a node as SIGKILL does: nothing of it reaches clients or the bus any more.
func (n *node) die() {
	n.bus.fail.Store(true)
	n.down.Store(true)
	n.web.Close()
	n.network.Cut()
	n.srv.Close()
}

// tick lets time pass, and waits until what that causes is done.
func (f *fixture) tick(n int) {
	time.Sleep(time.Duration(n) * Tick)
	synctest.Wait()
}

// connect connects to a node, for as long as the test.
func (f *fixture) connect(node int) Arena {
	return NewArenaClient(rpctest.Pair(f.t.Context(), f.t, f.nodes[node].srv, nil))
}

// dial connects to the first of the nodes that is not down, and to another when that is.
func (f *fixture) dial(nodes ...int) *rpc.Conn {
	f.t.Helper()
	conn, err := rpc.Dial(f.t.Context(), "ws://arena", &rpc.DialOptions{Resume: true, NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		for _, i := range nodes {
			if n := f.nodes[i]; !n.down.Load() {
				return n.network.Dial(ctx, "tcp", "any")
			}
		}
		return nil, errors.New("no node is up")
	}})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	return conn
}

// leader returns the index of the node that leads a room by its last state.
func (f *fixture) leader(room string) (node int) {
	f.t.Helper()
	frames := topic.New[Frame](f.nodes[0].bus.Bus, topic.Name("frames", room))
	after, err := frames.Back(f.t.Context(), SnapshotEvery)
	if err != nil {
		f.t.Fatal(err)
	}
	last, _, err := frames.Last(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for e := range frames.Subscribe(f.t.Context(), after) {
		if e.Value.Node != "" {
			fmt.Sscanf(e.Value.Node, "node %d", &node)
		}
		if e.Seq == last.Seq {
			break
		}
	}
	return node
}

// A viewer has what one who watches has got.
type viewer struct {
	mu     sync.Mutex
	last   world.State
	frames int
	ticks  []int
	err    error // that watching has ended with
	leave  context.CancelFunc
}

func (f *fixture) watch(arena Arena, room string) *viewer {
	ctx, leave := context.WithCancel(f.t.Context())
	v := &viewer{leave: leave}
	go func() {
		v.err = Follow(ctx, arena, room, func(s world.State) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.last = s
			v.frames++
			v.ticks = append(v.ticks, s.Tick)
		})
	}()
	return v
}

func (v *viewer) state() world.State {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last
}

func (v *viewer) names() string {
	var names []string
	for _, p := range v.state().Players {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// player returns the player with a name.
func (v *viewer) player(name string) world.Player {
	for _, p := range v.state().Players {
		if p.Name == name {
			return p
		}
	}
	return world.Player{}
}

// A gamer plays.
type gamer struct {
	err   error // that playing has ended with
	leave context.CancelFunc
}

func (f *fixture) play(arena Arena, room, name string, inputs iter.Seq2[world.Input, error]) *gamer {
	f.t.Helper()
	ctx, leave := context.WithCancel(f.t.Context())
	ticket, err := arena.Enter(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	g := &gamer{leave: leave}
	go func() { g.err = arena.Play(ctx, room, name, ticket.Key, inputs) }()
	return g
}

// A faultyBus fails, or holds up who appends.
type faultyBus struct {
	topic.Bus
	fail atomic.Bool
	hold atomic.Int64 // nanoseconds
}

var errBus = errors.New("the bus cannot be reached")

func (b *faultyBus) Append(ctx context.Context, name string, e topic.Entry) (topic.Place, error) {
	if b.fail.Load() {
		return topic.Place{}, errBus
	}
	time.Sleep(time.Duration(b.hold.Load()))
	return b.Bus.Append(ctx, name, e)
}

func (b *faultyBus) Read(ctx context.Context, name string, after uint64, max int) (topic.Page, error) {
	if b.fail.Load() {
		return topic.Page{}, errBus
	}
	return b.Bus.Read(ctx, name, after, max)
}
