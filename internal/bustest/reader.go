package bustest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc/topic"
)

// A reader reads the topic of a model until it has the last event.
type reader struct {
	*Model
	t      *testing.T
	random *rand.Rand
	slow   bool
	latest bool

	after topic.Seq // what it has got
	next  int       // the event that is next; -1 if it begins anew
}

// run subscribes again and again.
func (r *reader) run(ctx context.Context) {
	for !r.t.Failed() && r.next < r.Events {
		if r.latest {
			r.next = -1
		} else if err := r.begin(ctx); err != nil {
			r.t.Error(err)
			return
		}
		if r.next >= r.Events {
			return
		}
		if err := r.read(ctx); err != nil {
			if ctx.Err() == nil {
				r.t.Error(err)
			}
			return
		}
	}
}

// begin chooses where the next subscription begins.
func (r *reader) begin(ctx context.Context) error {
	r.log.mu.RLock()
	n := len(r.log.all)
	var err error
	switch way := r.random.IntN(12); {
	case way == 0 || r.after == "":
		r.after, r.next = "", -1
	case way == 1 && n > 0:
		back := r.random.IntN(30)
		r.after, err = r.to.Back(ctx, back)
		r.next = max(n-back, 0)
	case way == 2 && n > 0:
		begun := r.log.all[r.random.IntN(n)].begun
		r.after, err = r.to.Since(ctx, begun)
		r.next, _ = slices.BinarySearchFunc(r.log.all, begun, func(e logged, at time.Time) int { return e.begun.Compare(at) })
	case way == 3 && n > 0:
		i := r.random.IntN(n)
		r.after, r.next = r.log.all[i].at, i+1
		r.log.mu.RUnlock()
		return nil
	}
	r.log.mu.RUnlock()
	if err != nil || r.after == "" {
		return err
	}
	// What it asks for may have been removed: it begins later, and not earlier.
	first := r.log.behind(r.after)
	if first < r.next {
		return fmt.Errorf("the place %q is before event %d, that of event %d was asked for", r.after, first, r.next)
	}
	if first > r.next && !r.removed(first-1) {
		return fmt.Errorf("the place %q is before event %d, that of event %d was asked for, which is stored", r.after, first, r.next)
	}
	r.next = first
	return nil
}

// read reads one subscription until it leaves it, or meets a gap.
func (r *reader) read(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := r.Subscribe(ctx, r.Topic, r.after, r.latest)
	if err != nil {
		return r.passed(err)
	}
	for e, err := range events {
		if err != nil {
			return r.passed(err)
		}
		if err := r.take(ctx, e); err != nil {
			return err
		}
		if r.next >= r.Events || r.random.IntN(50) == 0 {
			return nil
		}
		if r.slow {
			pause(r.random, 10*r.Pause)
		}
	}
	return errors.New("a subscription ends without an error")
}

// take checks an event.
func (r *reader) take(ctx context.Context, e topic.Event[string]) error {
	var i int
	if _, err := fmt.Sscan(strings.TrimRight(e.Value, "x"), &i); err != nil {
		return err
	}
	want, err := r.log.at(ctx, i)
	switch {
	case err != nil:
		return err
	case e.Seq != want.at || e.Time.IsZero():
		return fmt.Errorf("event %d is at %q, %v in place of %q", i, e.Seq, e.Time, want.at)
	case r.latest:
		if i < r.behindLatest() {
			return fmt.Errorf("the latest event is %d after %q", i, r.after)
		}
	case r.next < 0 && !r.removed(i-1):
		return fmt.Errorf("the first event is %d, and the one before it is stored", i)
	case r.next >= 0 && i != r.next:
		return fmt.Errorf("event %d in place of %d", i, r.next)
	}
	r.after, r.next = e.Seq, i+1
	return nil
}

// behindLatest returns the first event that may be the latest for the reader.
func (r *reader) behindLatest() int {
	if r.after == "" {
		return 0
	}
	return r.log.behind(r.after)
}

// passed checks the error of a subscription. After a gap the reader begins where the topic
// does.
func (r *reader) passed(err error) error {
	gap, ok := errors.AsType[*topic.GapError](err)
	if !ok {
		return err
	}
	lost := r.next
	if r.Early {
		lost--
	}
	anew := r.next < 0 // where it has begun is not known, if there was no event yet
	if r.latest || !anew && (gap.After != r.after || !r.removed(lost)) {
		return fmt.Errorf("before event %d, which is stored: %w", r.next, err)
	}
	begin := r.log.behind(gap.Begin)
	if begin < r.next || begin > r.next && !r.removed(begin-1) {
		return fmt.Errorf("before event %d, and event %d is stored: %w", r.next, begin-1, err)
	}
	r.after, r.next = gap.Begin, begin
	return nil
}
