package cluster

import (
	"context"
	"iter"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wirecall/wirecall/internal/toolbox"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A summer is a service that adds up and yields the words of a length.
type summer struct{ toolbox.Toolbox }

func (summer) Add(_ context.Context, a, b int64) (int64, error) { return a + b, nil }

func (summer) Sum(_ context.Context, numbers iter.Seq2[int64, error]) (sum int64, err error) {
	for n, err := range numbers {
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (summer) Deal(_ context.Context, n int) (int, iter.Seq2[int, error], iter.Seq2[int, error], error) {
	count := func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
	return n, count, nil, nil
}

// serveSessions serves the sessions of a node, over a network, until the test ends.
func serveSessions(t *testing.T, n *Node, network *rpctest.Network) *rpc.Server {
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{Nodes: n.Sessions()}})
	srv.Register(toolbox.ToolboxService(summer{}))
	ln := network.Listen()
	go http.Serve(ln, srv)
	t.Cleanup(func() {
		ln.Close()
		srv.Close()
		network.Cut()
	})
	return srv
}

// A session goes on through each of three nodes, over links on NATS, until its own has
// gone.
func TestSessionThroughNodes(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	var nodes [3]*Node
	var networks [3]rpctest.Network
	var left atomic.Bool
	networks[0].Plan = func(int) rpctest.Plan { return rpctest.Plan{Refuse: left.Load()} }
	for i := range nodes {
		nodes[i] = joinNode(t, s, NodeOptions{Name: string(rune('a' + i))})
		serveSessions(t, nodes[i], &networks[i])
	}
	var next atomic.Int64
	conn, err := rpc.Dial(t.Context(), "ws://balancer/", &rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{MaxDelay: 10 * time.Millisecond},
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return networks[(next.Add(1)-1)%3].Dial(ctx, network, addr)
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tools := toolbox.NewToolboxClient(conn)
	const last = 2000
	fed := make(chan int64, last)
	sum := make(chan int64)
	go func() {
		n, err := tools.Sum(t.Context(), func(yield func(int64, error) bool) {
			for n := range fed {
				if !yield(n, nil) {
					return
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
		sum <- n
	}()
	_, dealt, _, err := tools.Deal(t.Context(), last)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for n, err := range dealt {
		if err != nil || n != want {
			t.Fatalf("item %d is %d, %v", want, n, err)
		}
		fed <- int64(n)
		if want++; want%100 == 0 {
			for i := range networks {
				networks[i].Cut()
			}
			if got, err := tools.Add(t.Context(), int64(n), 1); got != int64(n)+1 || err != nil {
				t.Fatalf("a call: %d, %v", got, err)
			}
		}
	}
	close(fed)
	if got := <-sum; got != last*(last-1)/2 {
		t.Errorf("the sum of what was sent is %d", got)
	}
	if st := conn.State(); want != last || st.Session != 1 || networks[1].Stats().Conns == 0 || networks[2].Stats().Conns == 0 {
		t.Errorf("%d items, %+v", want, st)
	}

	nodes[0].Close() // which has the session
	left.Store(true)
	for i := range networks {
		networks[i].Cut()
	}
	if got, err := tools.Add(t.Context(), 1, 2); got != 3 || err != nil {
		t.Errorf("after its node has left: %d, %v", got, err)
	}
	if st := conn.State(); st.Session != 2 {
		t.Errorf("after its node has left: %+v", st)
	}
}

// A session that is used through another node goes on, and loses nothing, while NATS, over
// which the two reach each other, ends and is started again and again.
func TestSessionOverRestarts(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	port := s.Addr().(*net.TCPAddr).Port
	var networks [2]rpctest.Network
	for i := range networks {
		serveSessions(t, joinNode(t, s, NodeOptions{Name: string(rune('a' + i))}), &networks[i])
	}
	var dialed atomic.Int64
	conn, err := rpc.Dial(t.Context(), "ws://balancer/", &rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{MaxDelay: 10 * time.Millisecond},
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return networks[min(dialed.Add(1)-1, 1)].Dial(ctx, network, addr) // the first time to a, then to b
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	networks[0].Cut()
	tools := toolbox.NewToolboxClient(conn)
	const last = 20_000
	_, dealt, _, err := tools.Deal(t.Context(), last)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for n, err := range dealt {
		if err != nil || n != want {
			t.Fatalf("item %d is %d, %v", want, n, err)
		}
		if want++; want%5000 == 0 {
			stopNATS(s)
			s = startNATS(t, port)
		}
	}
	if st := conn.State(); want != last || st.Session != 1 || networks[1].Stats().Conns == 0 {
		t.Errorf("%d items, %+v", want, st)
	}
}

// The node of a session dies without a word. Its client is told when its lease has passed,
// and begins a session at another node.
func TestSessionOfDeadNode(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	var networks [2]rpctest.Network
	nc := connectNATS(t, s)
	a, err := tryJoin(t, nc, NodeOptions{Name: "a", LeaseTime: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	b := joinNode(t, s, NodeOptions{Name: "b", LeaseTime: 2 * time.Second})
	serveSessions(t, a, &networks[0])
	serveSessions(t, b, &networks[1])
	var dialed atomic.Int64
	conn, err := rpc.Dial(t.Context(), "ws://balancer/", &rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{MaxDelay: 10 * time.Millisecond},
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return networks[min(dialed.Add(1)-1, 1)].Dial(ctx, network, addr)
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	nc.Close()
	networks[0].Cut()
	tools := toolbox.NewToolboxClient(conn)
	if got, err := tools.Add(t.Context(), 1, 2); got != 3 || err != nil {
		t.Errorf("after its node died: %d, %v", got, err)
	}
	if st := conn.State(); st.Session != 2 || b.alive("a") {
		t.Errorf("after its node died: %+v; it is alive: %v", st, b.alive("a"))
	}
}
