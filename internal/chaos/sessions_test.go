package chaos

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A guest is a client whose session stays on the node that it first came to.
type guest struct {
	name    string
	conn    *rpc.Conn
	session int       // in which it works
	node    string    // which has the session, or empty if it does not know
	settled time.Time // when it learned that, or zero
	calls   int       // the ids of its calls are its name and 1 to calls
	notes   int
	pieces  atomic.Int64 // of work
}

// Sockets of clients are cut again and again, and come to any node, while NATS is restarted
// and the nodes' connections to it are cut. As long as no node dies, each session goes on: each
// call runs once, notifications are in order and streams without cursors complete. What
// happens is too much for the short leases of other tests.
func TestSessionsOverNodes(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"forwarded", "redirected"} {
		t.Run(how, func(t *testing.T) {
			r := random(t)
			faults := rpctest.Faults{Seed: r.Uint64(), Cut: 0.5, HalfClose: 0.2, Hangup: 0.2, Within: 20_000}
			s := newSite(t, &options{clients: faults.Plan, ownDoors: how == "redirected", lease: 15 * time.Second})
			p := newParty(t, s, r, scale(20, 200))
			for began, i := time.Now(), 0; !t.Failed() && (s.broken() < scale(150, 10_000) || i < 4 || *long && time.Since(began) < *size); i++ {
				time.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
				switch i % 4 {
				case 0:
					s.cutClients()
				case 1:
					s.nats[0].restart()
				case 2:
					s.proxies[r.IntN(nodes)].network.Cut()
				}
			}
			p.end()
			p.check(s.reports())
			t.Logf("connections were broken %d times; %d pieces of work, %d items, each once", s.broken(), p.pieces.Load(), p.items.Load())
		})
	}
}

// Nodes are killed under clients whose sockets are cut. What is in flight in the sessions of a
// node that is killed fails soon, and goes on in others; the sessions of others go on.
func TestSessionsOfNodesThatDie(t *testing.T) {
	t.Parallel()
	r := random(t)
	faults := rpctest.Faults{Seed: r.Uint64(), Cut: 0.5, Within: 100_000}
	s := newSite(t, &options{clients: faults.Plan})
	p := newParty(t, s, r, scale(20, 200))
	for range scale(4, 40) {
		i := r.IntN(nodes)
		p.killing(name(i))
		s.killNode(i)
		p.awaitWork()
		s.startNode(i)
		s.awaitNodes()
	}
	p.end()
	if p.lost.Load() == 0 {
		t.Error("nothing was lost with the nodes")
	}
	t.Logf("%d pieces of work, of which %d failed with their nodes; until those who made them knew: %v", p.pieces.Load(), p.lost.Load(), &p.knew)
}

// work makes a call, sends a notification or has a stream doubled. It returns how many items
// have come.
func (g *guest) work(ctx context.Context, r *rand.Rand) (items int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	to := NewBoardClient(g.conn)
	switch r.IntN(4) {
	case 0:
		g.notes++
		return 0, to.Tell(ctx, g.name, g.notes)
	case 1:
		return double(ctx, to, r.IntN(100))
	default:
		return 0, g.once(ctx)
	}
}

// once makes a call.
func (g *guest) once(ctx context.Context) error {
	g.calls++
	return NewBoardClient(g.conn).Once(ctx, fmt.Sprint(g.name, ":", g.calls))
}

// double has the numbers from 1 to n doubled, and checks what comes.
func double(ctx context.Context, to Board, n int) (items int, err error) {
	numbers := func(yield func(int, error) bool) {
		for i := 1; i <= n && yield(i, nil); i++ {
		}
	}
	var doubled iter.Seq2[int, error]
	if doubled, err = to.Double(ctx, numbers); err != nil {
		return 0, err
	}
	for got, err := range doubled {
		if err != nil {
			return items, err
		}
		if want := items/2 + 1; got != want {
			return items, fmt.Errorf("%d comes in place of %d", got, want)
		}
		items++
	}
	if items != 2*n {
		return items, fmt.Errorf("%d of %d items come", items, 2*n)
	}
	return items, nil
}
