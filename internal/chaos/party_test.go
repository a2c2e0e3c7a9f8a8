package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// A party is guests who work all the time.
type party struct {
	t       *testing.T
	guests  []*guest
	over    atomic.Bool
	working sync.WaitGroup

	pieces, items atomic.Int64
	lost          atomic.Int64 // pieces of work that failed with their node
	knew          times        // until those who had made them knew

	mu     sync.Mutex
	killed map[string]time.Time // nodes, without what differs each time they start
}

// newParty has so many guests work at a site.
func newParty(t *testing.T, s *site, r *rand.Rand, guests int) *party {
	t.Helper()
	p := &party{t: t, killed: make(map[string]time.Time)}
	for i := range guests {
		g := &guest{name: fmt.Sprint("guest", i), conn: dialGuest(t, s.balancer.addr)}
		p.guests = append(p.guests, g)
		own := rand.New(rand.NewPCG(r.Uint64(), 0))
		p.working.Go(func() {
			if err := p.work(g, own); err != nil {
				t.Errorf("%s, of node %s, %+v: %v", g.name, g.node, g.conn.State(), err)
			}
		})
	}
	return p
}

// work has a guest work until the party is over. It returns what has failed and should not
// have.
func (p *party) work(g *guest, r *rand.Rand) error {
	for !p.over.Load() {
		err := g.settle(p.t.Context())
		for err == nil && !p.over.Load() {
			var items int
			items, err = g.work(p.t.Context(), r)
			p.pieces.Add(1)
			g.pieces.Add(1)
			p.items.Add(int64(items))
			if g.conn.State().Session != g.session {
				break
			}
		}
		if err != nil && !p.mayFail(g, err) {
			return err
		}
	}
	if p.lost.Load() > 0 {
		return nil
	}
	return g.once(p.t.Context()) // behind all notifications
}

// killing notes that a node is about to be killed.
func (p *party) killing(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed[node] = time.Now()
}

// mayFail reports whether the node that has the session of a guest was killed, so that work
// may have failed. A session whose guest does not know its node yet may be on any.
func (p *party) mayFail(g *guest, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	node, _, _ := strings.Cut(g.node, "-")
	var at time.Time
	for name, when := range p.killed {
		if (node == name || node == "") && when.After(at) {
			at = when
		}
	}
	if !at.After(g.settled) || !errors.Is(err, rpc.CodeSessionLost) && !errors.Is(err, rpc.CodeUnavailable) {
		return false
	}
	p.lost.Add(1)
	p.knew.add(time.Since(at))
	return true
}

// awaitWork waits until each guest has done a piece of work from now on.
func (p *party) awaitWork() {
	p.t.Helper()
	late := time.Now().Add(patience)
	for _, g := range p.guests {
		for from := g.pieces.Load(); g.pieces.Load() < from+2; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(late) {
				p.t.Fatalf("%s does nothing: %+v", g.name, g.conn.State())
			}
		}
	}
}

// end ends the party.
func (p *party) end() {
	p.over.Store(true)
	p.working.Wait()
}

// check checks that all that guests have asked for has run once, in order, and within one
// session of each.
func (p *party) check(reports []Report) {
	p.t.Helper()
	ran, told := make(map[string]int), make(map[string]int)
	for _, report := range reports {
		for id, n := range report.Ran {
			ran[id] += n
		}
		for source, n := range report.Told {
			told[source] += n
		}
		for _, lost := range report.Lost {
			p.t.Error(lost)
		}
	}
	calls := 0
	for _, g := range p.guests {
		calls += g.calls
		for n := 1; n <= g.calls; n++ {
			if id := fmt.Sprint(g.name, ":", n); ran[id] != 1 {
				p.t.Errorf("call %s has run %d times", id, ran[id])
			}
		}
		if told[g.name] != g.notes {
			p.t.Errorf("of %d notifications of %s %d have come", g.notes, g.name, told[g.name])
		}
		if st := g.conn.State(); st.Session != 1 {
			p.t.Errorf("%s has had %d sessions: %+v", g.name, st.Session, st)
		}
	}
	if len(ran) != calls {
		p.t.Errorf("of %d calls %d have run", calls, len(ran))
	}
}

// settle learns in which session a guest works, and which node has it.
func (g *guest) settle(ctx context.Context) (err error) {
	g.node, g.settled = "", time.Time{}
	for {
		began := time.Now()
		g.session = g.conn.State().Session
		if g.node, _, err = NewBoardClient(g.conn).Nodes(ctx); err == nil {
			g.settled = began
		}
		if err != nil || g.conn.State().Session == g.session {
			return err
		}
	}
}
