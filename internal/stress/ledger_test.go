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
// notifications of one source in their order. It forgets what is settled, so that
// it takes no more room the longer it is kept.
type ledger struct {
	mu      sync.Mutex
	noted   *sync.Cond // of mu: a notification has run
	ids     int
	calls   map[int]*entry // by id
	last    int            // of the ids of sources
	sources map[int]*source
	ran     int // calls and notifications
	wrong   []string
	lossy   bool // sessions may be lost, and with them what was under way
}

// An entry is what is known of a call.
type entry struct{ given, ran bool }

// A source numbers its notifications.
type source struct {
	*ledger
	id         int
	sent, told int
	closed     bool
}

const (
	perSource = 1 << 20 // notifications, at most
	remembers = 100_000 // ids for which a call that was given up may still run
)

func newLedger() *ledger {
	g := &ledger{calls: make(map[int]*entry), sources: make(map[int]*source)}
	g.noted = sync.NewCond(&g.mu)
	return g
}

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
	id, e := g.enter()
	got, err := c.Once(ctx, id)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil && (got != id || !e.ran):
		g.complain("call %d, which has run: %v, was answered with %d", id, e.ran, got)
	case err == nil:
		delete(g.calls, id)
	case !givenUp(ctx, err) && !g.lossy:
		return fmt.Errorf("call %d: %w", id, err)
	default:
		e.given = true
	}
	return nil
}

// enter begins a call.
func (g *ledger) enter() (id int, e *entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ids++
	if old := g.calls[g.ids-remembers]; old != nil && old.given {
		delete(g.calls, g.ids-remembers)
	}
	e = new(entry)
	g.calls[g.ids] = e
	return g.ids, e
}

// givenUp reports whether a call has failed of its context's end, which the other
// end may be the first to notice.
func givenUp(ctx context.Context, err error) bool {
	by, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(by) && errors.Is(err, context.DeadlineExceeded)
}

// run notes that Once has.
func (g *ledger) run(id int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ran++
	e := g.calls[id]
	if e == nil || e.ran {
		g.complain("call %d runs, and has run or was never made", id)
		return
	}
	e.ran = true
}

func (g *ledger) source() *source {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last++
	s := &source{ledger: g, id: g.last}
	g.sources[s.id] = s
	return s
}

// tell sends the source's next notification through c.
func (s *source) tell(ctx context.Context, c Load) error {
	if err := c.Tell(ctx, int64(s.id)*perSource+int64(s.sent)); err != nil && !s.lossy {
		return fmt.Errorf("notification %d of %d: %w", s.sent, s.id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	return nil
}

// close says that the source sends no more.
func (s *source) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.settle()
}

func (s *source) settle() {
	if s.closed && s.told == s.sent {
		delete(s.sources, s.id)
	}
}

// note notes that Tell has run.
func (g *ledger) note(number int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ran++
	n := int(number % perSource)
	s := g.sources[int(number/perSource)]
	if s == nil {
		g.complain("notification %d comes twice", n)
		return
	}
	if n != s.told && !(g.lossy && n > s.told) {
		g.complain("notification %d of %d comes where %d is due", n, s.id, s.told)
	}
	s.told = n + 1
	s.settle()
	g.noted.Broadcast()
}

// waiting is how many notifications have not run yet. g.mu is held.
func (g *ledger) waiting() (n int) {
	for _, s := range g.sources {
		n += s.sent - s.told
	}
	return n
}

// done is how many calls and notifications have run.
func (g *ledger) done() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ran
}

// check compares what has been asked for with what has been done, when nothing
// more is to come.
func (g *ledger) check(t *testing.T, where string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	late := false
	limit := time.AfterFunc(10*time.Minute, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		late = true
		g.noted.Broadcast()
	})
	defer limit.Stop()
	for !g.lossy && g.waiting() != 0 && !late {
		g.noted.Wait() // those that have arrived run
	}
	if n := g.waiting(); n != 0 && !g.lossy {
		t.Errorf("%s: %d notifications were lost", where, n)
	}
	for id, e := range g.calls {
		if !e.given && !g.lossy {
			g.complain("call %d is not settled", id)
		}
	}
	for _, what := range g.wrong {
		t.Errorf("%s: %s", where, what)
	}
}
