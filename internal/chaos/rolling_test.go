package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/rpc"
)

// A ledger counts how often calls have run, as the nodes tell through NATS.
type ledger struct {
	mu  sync.Mutex
	ran map[string]int // by id
}

// newLedger returns a ledger that follows what is published at the subject ran.
func newLedger(t *testing.T, nc *nats.Conn) *ledger {
	t.Helper()
	l := &ledger{ran: make(map[string]int)}
	_, err := nc.Subscribe(ran, func(m *nats.Msg) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ran[string(m.Data)]++
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// check checks that so many calls have run, each once.
func (l *ledger) check(t *testing.T, calls int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ran) != calls {
		t.Errorf("of %d calls %d have run", calls, len(l.ran))
	}
	for id, n := range l.ran {
		if n != 1 {
			t.Errorf("call %s has run %d times", id, n)
		}
	}
}

// Workers make calls that take up to 100 ms, and read streams without cursors that end when
// their node shuts down.
type workers struct {
	t       *testing.T
	calls   atomic.Int64
	streams atomic.Int64 // that have ended
	took    times        // by calls, beyond what they work
	conns   []*rpc.Conn
	busy    sync.WaitGroup
	over    atomic.Bool
}

func newWorkers(c *crowd, n int, r *rand.Rand) *workers {
	c.t.Helper()
	w := &workers{t: c.t}
	for i := range n {
		conn, own := c.dial(), rand.New(rand.NewPCG(r.Uint64(), 0))
		w.conns = append(w.conns, conn)
		w.busy.Go(func() { w.work(fmt.Sprint("worker", i), NewBoardClient(conn), own) })
		c.running.Go(func() { w.watch(c.ctx, NewBoardClient(conn)) })
	}
	return w
}

// work makes one call after the other. None may fail.
func (w *workers) work(name string, to Board, r *rand.Rand) {
	for n := 1; !w.over.Load(); n++ {
		began, ms := time.Now(), r.IntN(100)
		if _, err := to.Work(w.t.Context(), fmt.Sprint(name, ":", n), ms); err != nil {
			w.t.Errorf("call %d of %s: %v", n, name, err)
			return
		}
		w.took.add(time.Since(began) - time.Duration(ms)*time.Millisecond)
		w.calls.Add(1)
	}
}

// watch reads one stream of numbers after the other until ctx ends. Each must be without a
// hole, and end without an error.
func (w *workers) watch(ctx context.Context, from Board) {
	for ctx.Err() == nil {
		last, err := countTicks(ctx, from)
		if err != nil && ctx.Err() == nil {
			w.t.Errorf("a stream without a cursor, behind %d: %v", last, err)
			return
		}
		w.streams.Add(1)
	}
}

func countTicks(ctx context.Context, from Board) (last int, err error) {
	ticks, err := from.Ticks(ctx)
	if err != nil {
		return 0, err
	}
	for n, err := range ticks {
		if err == nil && n != last+1 {
			err = fmt.Errorf("%d comes after %d", n, last)
		}
		if err != nil {
			return last, err
		}
		last = n
	}
	return last, nil
}

// The nodes are replaced one after another, round and round, under clients that call, post
// and read. Every client moves, no call fails and each runs once, streams with cursors go on
// and those without end as their handlers end them.
func TestRollingDeploys(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"processes", "one process"} {
		t.Run(where, func(t *testing.T) {
			s := newSite(t, &options{within: where == "one process"})
			deploy(t, s)
		})
	}
}

func deploy(t *testing.T, s *site) {
	ran := newLedger(t, s.connect())
	c := newCrowd(t, s.balancer.addr, 10, scale(60, 1000), 20)
	w := newWorkers(c, 20, random(t))
	c.awaitLater("before the first deploy", time.Time{})
	var drains times
	rounds := scale(1, 20)
	for range rounds {
		for i := range nodes {
			at := time.Now()
			s.replace(i)
			drains.add(time.Since(at))
			c.awaitLater("after a deploy", time.Now())
		}
	}
	w.over.Store(true)
	w.busy.Wait()
	moved := 0
	for _, conn := range c.conns {
		moved += awaitSession(t, conn, rounds+1) - 1
	}
	c.settle(s.bus())
	ran.check(t, int(w.calls.Load()))
	t.Logf("%d nodes were replaced; until a node had ended: %v", rounds*nodes, &drains)
	t.Logf("%d clients moved %d times; %d streams without a cursor ended", len(c.conns), moved, w.streams.Load())
	t.Logf("%d calls, each ran once; what each took beyond its work: %v", w.calls.Load(), &w.took)
}

// awaitSession waits until a client has a socket and has had so many sessions, and returns
// how many it has had. Each node was replaced, so that each client has left one.
func awaitSession(t *testing.T, conn *rpc.Conn, least int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for st := range conn.States(ctx) {
		if st.Phase == rpc.Connected && st.Session >= least {
			return st.Session
		}
	}
	t.Errorf("a client has not moved: %+v", conn.State())
	return least
}
