package stress

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// A ledger is kept of one end of a connection: what the other end has asked for,
// and what has been done here. All that was asked for is to be done once, and
// notifications of one source in their order.
type ledger struct {
	mu      sync.Mutex
	asked   []asking    // by id
	runs    map[int]int // by id
	sources []*source
	wrong   []string
}

// An asking is what the caller knows about a call.
type asking uint8

const (
	open  asking = iota
	given        // up: it may have run
	sure         // it has run
)

// A source numbers its notifications.
type source struct {
	*ledger
	id         int
	sent, told int
}

// perSource is how many notifications a source may have.
const perSource = 1 << 20

func newLedger() *ledger { return &ledger{runs: make(map[int]int)} }

func (g *ledger) complain(format string, args ...any) {
	if len(g.wrong) < 10 {
		g.wrong = append(g.wrong, fmt.Sprintf(format, args...))
	}
}

// once has Once run at the ledger's end, through c, and gives it up after a
// while, where that is not 0. A call that fails otherwise is an error.
func (g *ledger) once(ctx context.Context, c Load, while time.Duration) error {
	if while > 0 {
		limited, cancel := context.WithTimeout(ctx, while)
		defer cancel()
		ctx = limited
	}
	g.mu.Lock()
	id := len(g.asked)
	g.asked = append(g.asked, open)
	g.mu.Unlock()
	got, err := c.Once(ctx, id)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil && got != id:
		g.complain("call %d was answered with %d", id, got)
	case err == nil:
		g.asked[id] = sure
	case !givenUp(ctx, err):
		return fmt.Errorf("call %d: %w", id, err)
	default:
		g.asked[id] = given
	}
	return nil
}

// givenUp reports whether a call has failed of its context's end, which the other
// end may be the first to notice.
func givenUp(ctx context.Context, err error) bool {
	by, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(by) && errors.Is(err, context.DeadlineExceeded)
}

// ran notes that Once has.
func (g *ledger) ran(id int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.runs[id]++; g.runs[id] > 1 {
		g.complain("call %d ran %d times", id, g.runs[id])
	}
}

func (g *ledger) source() *source {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := &source{ledger: g, id: len(g.sources)}
	g.sources = append(g.sources, s)
	return s
}

// tell sends the source's next notification through c.
func (s *source) tell(ctx context.Context, c Load) error {
	if err := c.Tell(ctx, s.id*perSource+s.sent); err != nil {
		return fmt.Errorf("notification %d of %d: %w", s.sent, s.id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	return nil
}

// told notes that Tell has run.
func (g *ledger) told(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sources[n/perSource]
	if n %= perSource; n != s.told {
		g.complain("notification %d of %d comes where %d is due", n, s.id, s.told)
	}
	s.told = n + 1
}

// waiting is how many notifications have not run yet.
func (g *ledger) waiting() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sources {
		n += s.sent - s.told
	}
	return n
}

// done is how many calls and notifications have run.
func (g *ledger) done() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n = len(g.runs)
	for _, s := range g.sources {
		n += s.told
	}
	return n
}

// check compares what has been asked for with what has been done, when nothing
// more is to come.
func (g *ledger) check(t *testing.T, where string) {
	t.Helper()
	for by := time.Now().Add(20 * time.Second); g.waiting() != 0 && time.Now().Before(by); {
		time.Sleep(time.Millisecond) // those that have arrived run
	}
	if n := g.waiting(); n != 0 {
		t.Errorf("%s: %d notifications were lost", where, n)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, a := range g.asked {
		if a == sure && g.runs[id] == 0 || a == open {
			g.complain("call %d has not run (%d)", id, a)
		}
	}
	for _, what := range g.wrong {
		t.Errorf("%s: %s", where, what)
	}
}
