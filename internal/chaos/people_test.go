package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// An exchange is users with phones on all nodes, and callers on all nodes who ring them all
// the time.
type exchange struct {
	t       *testing.T
	site    *site
	calling sync.WaitGroup
	users   int // so far
	over    chan struct{}

	answered, failed atomic.Int64
	knew             times // how long calls took that failed
	calmed           times // until all users answered again

	mu      sync.Mutex
	phones  []*phone
	callers []*caller
	quiet   time.Time // since when NATS and its links are there; zero if they are not
}

// A phone is that of one user, on one node.
type phone struct {
	user, node string
	killed     bool // with its node, or about to be; guarded by the exchange's mutex

	mu   sync.Mutex
	rang map[string]int // by id
}

// Ring implements Phone.
func (p *phone) Ring(ctx context.Context, id string, ms int) (string, error) {
	p.mu.Lock()
	p.rang[id]++
	p.mu.Unlock()
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return p.user, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// A caller rings users from one node.
type caller struct {
	name, node string
	conn       *rpc.Conn

	// The fields below are guarded by the exchange's mutex.
	killed   bool                 // with its node, or about to be
	answered map[*phone]time.Time // when the last call began that was
}

// open has so many phones and callers on a node that has started.
func (x *exchange) open(i, phones, callers int, r *rand.Rand) {
	x.t.Helper()
	for range phones {
		x.users++
		p := &phone{user: fmt.Sprint("user", x.users), node: name(i), rang: make(map[string]int)}
		if err := NewBoardClient(x.dial(i, PhoneService(p))).Sign(x.t.Context(), p.user); err != nil {
			x.t.Fatal(err)
		}
		x.mu.Lock()
		x.phones = append(x.phones, p)
		x.mu.Unlock()
	}
	for range callers {
		c := &caller{name: fmt.Sprint("caller", r.Uint64()), node: name(i), conn: x.dial(i), answered: make(map[*phone]time.Time)}
		own := rand.New(rand.NewPCG(r.Uint64(), 0))
		x.mu.Lock()
		x.callers = append(x.callers, c)
		x.mu.Unlock()
		x.calling.Go(func() { x.call(c, own) })
	}
}

// dial connects a client to a node, which is lost with the node.
func (x *exchange) dial(i int, services ...rpc.Service) *rpc.Conn {
	x.t.Helper()
	conn, err := rpc.Dial(x.t.Context(), "ws://"+x.site.addr(i), &rpc.DialOptions{
		Services: services, Limits: limits, Logger: slog.New(slog.DiscardHandler), Reconnect: rpc.Reconnect{Disabled: true},
	})
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { conn.Close() })
	return conn
}

// call rings one user after the other until the exchange closes or the caller's node has
// died.
func (x *exchange) call(c *caller, r *rand.Rand) {
	for n := 0; ; n++ {
		select {
		case <-x.over:
			return
		default:
		}
		x.mu.Lock()
		p := x.phones[r.IntN(len(x.phones))]
		x.mu.Unlock()
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		id := fmt.Sprint(c.name, ":", n)
		user, nobody, err := NewBoardClient(c.conn).Ring(ctx, p.user, id, r.IntN(20))
		cancel()
		switch {
		case err == nil && !nobody:
			x.check(p, id, user)
			x.mu.Lock()
			c.answered[p] = began
			x.mu.Unlock()
		case x.isKilled(c):
			return
		case (nobody || errors.Is(err, rpc.CodeUnavailable)) && x.mayFail(p, began):
			x.failed.Add(1)
			took := time.Since(began)
			x.knew.add(took)
			if took > soon {
				x.t.Errorf("a call to %s, of node %s, has failed after %v: %v", p.user, p.node, took, err)
			}
		default:
			x.t.Errorf("a call from node %s to %s, of node %s, after %v: %v, nobody: %v", c.node, p.user, p.node, time.Since(began), err, nobody)
		}
	}
}

func (x *exchange) isKilled(c *caller) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return c.killed
}

// check checks a call that was answered.
func (x *exchange) check(p *phone, id, user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if user != p.user || p.rang[id] != 1 {
		x.t.Errorf("call %s to %s was answered by %q, and rang %d times", id, p.user, user, p.rang[id])
	}
	x.answered.Add(1)
}

// mayFail reports whether a call that began at a time may fail.
func (x *exchange) mayFail(p *phone, began time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return p.killed || x.quiet.IsZero() || began.Before(x.quiet)
}

// trouble lets calls fail until calm.
func (x *exchange) trouble() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.quiet = time.Time{}
}

// calm waits until each caller whose node lives has had all users answer whose nodes live, and
// lets no call fail from then on but those to nodes that were killed.
func (x *exchange) calm() {
	x.t.Helper()
	began := time.Now()
	defer func() { x.calmed.add(time.Since(began)) }()
	for !x.allAnswered(began) {
		if time.Since(began) > patience {
			x.t.Fatal("not all users answer all callers")
		}
		time.Sleep(10 * time.Millisecond)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.quiet = time.Now()
}

func (x *exchange) allAnswered(since time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.callers {
		for _, p := range x.phones {
			if !c.killed && !p.killed && c.answered[p].Before(since) {
				return false
			}
		}
	}
	return true
}

// kill kills a node with its users and callers. It returns the users.
func (x *exchange) kill(i int) (gone []*phone) {
	x.mu.Lock()
	for _, p := range x.phones {
		if p.node == name(i) && !p.killed {
			p.killed = true
			gone = append(gone, p)
		}
	}
	for _, c := range x.callers {
		c.killed = c.killed || c.node == name(i)
	}
	x.mu.Unlock()
	x.site.killNode(i)
	return gone
}

// awaitGone waits until a call to a user whose node is gone fails as not having run, and returns
// how long such a call takes then.
func (x *exchange) awaitGone(from int, p *phone) time.Duration {
	x.t.Helper()
	to := NewBoardClient(x.dial(from))
	for late := time.Now().Add(patience); ; {
		began := time.Now()
		ctx, cancel := context.WithTimeout(x.t.Context(), patience)
		_, nobody, err := to.Ring(ctx, p.user, "", 0)
		cancel()
		if nobody {
			return time.Since(began)
		}
		if !errors.Is(err, rpc.CodeUnavailable) || began.After(late) {
			x.t.Fatalf("a call to a user whose node was killed: %v", err)
		}
	}
}

// Users are rung from all nodes while nodes are killed, NATS is restarted and links are cut. A
// call to a user of a node that was killed fails within the lease, and at once when that has
// ended; those to others are answered, each by the phone that it is for, once.
func TestPeople(t *testing.T) {
	t.Parallel()
	r := random(t)
	s := newSite(t, &options{})
	x := &exchange{t: t, site: s, over: make(chan struct{}), quiet: time.Now()}
	for i := range nodes {
		x.open(i, 5, 3, r)
	}
	x.calm()
	var gone, never times
	for range scale(2, 30) {
		i := r.IntN(nodes)
		at := time.Now()
		dead := x.kill(i)
		never.add(x.awaitGone((i+1)%nodes, dead[0]))
		gone.add(time.Since(at))
		s.startNode(i)
		s.awaitNodes()
		x.open(i, 5, 3, r)
		x.calm()
		x.trouble()
		s.nats[0].restart()
		x.calm()
		x.trouble()
		s.cutLink(r.IntN(nodes))
		x.calm()
	}
	close(x.over)
	x.calling.Wait()
	t.Logf("%d calls were answered, and %d failed; how long these took: %v", x.answered.Load(), x.failed.Load(), &x.knew)
	t.Logf("until all users answered after NATS or a connection to it was lost: %v", &x.calmed)
	t.Logf("until nobody was there after a node was killed, with a lease of %v: %v; how long a call took then: %v", lease, &gone, &never)
}
