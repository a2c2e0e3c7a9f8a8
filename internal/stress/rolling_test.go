package stress

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A backend is one of several servers at one address. A restart replaces its
// server.
type backend struct {
	network *rpctest.Network
	srv     *rpc.Server
	stop    func()
}

// A cluster is backends behind a balancer that knows nothing of their state: it
// sends connections to them in turn, and one that is down refuses.
type cluster struct {
	tr       transport
	sessions *rpc.SessionOptions
	load     *load
	backends []*backend
	next     atomic.Int64
}

const latency = 10 * time.Millisecond

func newCluster(t *testing.T, tr transport, sessions *rpc.SessionOptions, size int, far *load) *cluster {
	c := &cluster{tr: tr, sessions: sessions, load: far}
	for range size {
		path := rpctest.Path{Latency: latency}
		b := &backend{network: &rpctest.Network{Plan: func(int) rpctest.Plan { return rpctest.Plan{Up: path, Down: path} }}}
		c.start(b)
		c.backends = append(c.backends, b)
	}
	t.Cleanup(func() {
		for _, b := range c.backends {
			b.stop()
		}
	})
	return c
}

func (c *cluster) start(b *backend) {
	b.srv = rpc.NewServer(&rpc.ServerOptions{Sessions: c.sessions, Codecs: []codec.Codec{cbor.Codec}, Logger: slog.New(slog.DiscardHandler)})
	b.srv.Register(LoadService(c.load), FleetService(&fleet{}))
	b.stop = serve(b.srv, c.tr, b.network.Listen())
}

// restart shuts the server of b down, within the given time, and starts another.
func (c *cluster) restart(b *backend, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	err := b.srv.Shutdown(ctx)
	b.stop()
	c.start(b)
	return err
}

func (c *cluster) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	b := c.backends[int(c.next.Add(1))%len(c.backends)]
	return b.network.Dial(ctx, network, addr)
}

// connect makes a client of the cluster, which does near what the servers ask.
func (c *cluster) connect(t *testing.T, near *load, resume bool) *lasting {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), c.tr.scheme+"://cluster", &rpc.DialOptions{
		Codec: c.tr.codec, Services: []rpc.Service{LoadService(near)}, NetDial: c.dial, Resume: resume, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &lasting{pair: &pair{Load: NewLoadClient(conn), conn: conn}, near: near, far: c.load}
}

// Servers that are restarted one after another, under clients that do all kinds of
// things all the time, fail nothing: each call and notification runs once, streams
// are complete, and those with a cursor go on without a gap.
func TestRollingRestart(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		for _, sessions := range []*rpc.SessionOptions{nil, {}} {
			waits := []time.Duration{8 * latency, 2 * time.Second}
			if *long {
				waits = append(waits, 30*time.Second)
			}
			for _, wait := range waits {
				t.Run(fmt.Sprintf("sessions=%v,within=%v", sessions != nil, wait), func(t *testing.T) {
					for seed := range uint64(scale(1, 20)) {
						synctest.Test(t, func(t *testing.T) { rollingRestart(t, tr, sessions, wait, seed) })
						if t.Failed() {
							t.Fatal("seed", seed)
						}
					}
				})
			}
		}
	})
}

func rollingRestart(t *testing.T, tr transport, sessions *rpc.SessionOptions, wait time.Duration, seed uint64) {
	const servers, clients = 5, 20
	asked := newLedger()
	c := newCluster(t, tr, sessions, servers, &load{done: newLedger(), asked: asked})
	ctx, cancel := context.WithCancel(t.Context())
	var streams, busy sync.WaitGroup
	var over atomic.Bool
	var conns []*rpc.Conn
	var devices []*device
	for i := range clients {
		l := c.connect(t, &load{done: asked}, sessions != nil)
		conns = append(conns, l.conn)
		workers, pause := 2, latency
		if i%2 == 0 { // its connection is idle in between
			workers, pause = 1, 5*latency
		} else {
			d := &device{conn: l.conn, got: make(chan struct{}, 1)}
			devices = append(devices, d)
			streams.Go(func() {
				if err := d.run(ctx); ctx.Err() == nil {
					t.Errorf("the stream of client %d ended behind %d: %v", i, d.last, err)
				}
			})
		}
		for w := range workers {
			busy.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(i<<8+w)))
				for !over.Load() && !t.Failed() {
					work := l.work
					if wait < time.Second {
						work = l.brief
					}
					// A source of one notification each time: two sessions have no order.
					if err := work(t.Context(), r, 1); err != nil {
						t.Errorf("client %d, %+v: %v", i, l.conn.State(), err)
					}
					time.Sleep(upTo(r, pause))
				}
			})
		}
	}
	for range scale(1, 2) {
		for i, b := range c.backends {
			time.Sleep(10 * latency)
			if err := c.restart(b, wait); err != nil {
				t.Errorf("server %d is not idle: %v", i, err)
			}
		}
	}
	over.Store(true)
	busy.Wait()
	awaitNumbers(t, devices)
	cancel()
	streams.Wait()
	asked.check(t, "the clients")
	c.load.done.check(t, "the servers")
	moved := 0
	for _, conn := range conns {
		moved += conn.State().Session - 1
		conn.Close()
	}
	if moved < clients {
		t.Errorf("%d clients have moved %d times", clients, moved)
	}
	t.Logf("%d calls and notifications, %d moves", asked.done()+c.load.done.done(), moved)
	for _, b := range c.backends {
		b.stop()
	}
	time.Sleep(time.Minute) // goodbyes, and what was given up
}

// brief is work that takes one round trip each time.
func (l *lasting) brief(ctx context.Context, r *rand.Rand, n int) error {
	notes := l.far.done.source()
	defer notes.close()
	for range n {
		var err error
		if r.IntN(3) == 0 {
			err = notes.tell(ctx, l)
		} else {
			err = l.far.done.once(ctx, l, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
