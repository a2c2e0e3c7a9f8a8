package stress

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

//go:generate go tool wirecall gen

// Load is a service that does as it is told.
//
//wirecall:service
type Load interface {
	// Echo returns what it is given.
	Echo(ctx context.Context, text string) (string, error)

	// Count streams 0 to n-1 as text of the given size, endlessly if n is
	// negative.
	Count(ctx context.Context, n, size int) (iter.Seq2[Item, error], error)

	// Sum takes items, checks that they are in order, and counts them.
	Sum(ctx context.Context, items iter.Seq2[Item, error]) (int, error)

	// Double answers each item with two.
	Double(ctx context.Context, items iter.Seq2[Item, error]) (iter.Seq2[Item, error], error)

	// Wait returns when its context ends.
	Wait(ctx context.Context) error

	// Ignore returns when Release is called, whatever its context says.
	Ignore(ctx context.Context) error

	// Blob returns n bytes.
	Blob(ctx context.Context, n int) (string, error)

	// Back calls Echo at the caller.
	Back(ctx context.Context, text string) (string, error)

	// Drop takes items and forgets the stream at once.
	Drop(ctx context.Context, items iter.Seq2[Item, error]) error

	// Keep returns its parameters when as many calls of it have come as there
	// are to come.
	Keep(ctx context.Context, of int, kept Kept) (Kept, error)

	// Feed streams what is published.
	Feed(ctx context.Context) (iter.Seq2[rpc.Shared[Event], error], error)

	// FeedEach is Feed with items that are encoded for each stream.
	FeedEach(ctx context.Context) (iter.Seq2[Event, error], error)

	// Once notes that it has run with an id, and returns it.
	Once(ctx context.Context, id int) (int, error)

	// Chat calls Once and Tell at the caller, n times each.
	Chat(ctx context.Context, n int) error

	// Tell is a notification.
	//
	//wirecall:notify
	Tell(ctx context.Context, n int64) error
}

// An Item is one of a counted stream.
type Item struct {
	Seq  int    `json:"seq"`
	Text string `json:"text,omitempty"`
}

// Kept has what a decoder might leave pointing into a buffer that is used again.
type Kept struct {
	Text  string          `json:"text"`
	Raw   json.RawMessage `json:"raw"`
	Bytes []byte          `json:"bytes"`
	Any   any             `json:"any"`
	List  []string        `json:"list"`
	Map   map[string]Item `json:"map"`
}

// load is the Load that all tests share.
type load struct {
	waiting  chan struct{} // gets a value when Wait or Ignore has begun, where it is not nil
	ended    chan error    // gets the cause when Wait's context has ended, where it is not nil
	release  chan struct{} // lets Ignore return
	told     chan int
	feed     feed
	done     *ledger       // of what Once and Tell do here, where it is not nil
	asked    *ledger       // of what Chat has done at the caller
	came     atomic.Int64  // calls of Keep
	all      chan struct{} // closed when all have come
	produced atomic.Int64  // items that Count has yielded
	counting counter       // iterators of Count that run
	endless  int           // how long an endless Count is, where it is not 0
}

// A counter counts what runs. The zero counter is ready to use.
type counter struct {
	mu   sync.Mutex
	n    int
	zero chan struct{} // closed when n becomes 0, where somebody waits for that
}

func (c *counter) Add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n += n; c.n == 0 && c.zero != nil {
		close(c.zero)
		c.zero = nil
	}
}

func (c *counter) Load() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// awaitZero waits until nothing runs, for as long as the test may take.
func (c *counter) awaitZero() {
	c.mu.Lock()
	if c.n > 0 && c.zero == nil {
		c.zero = make(chan struct{})
	}
	zero := c.zero
	c.mu.Unlock()
	if zero != nil {
		<-zero
	}
}

func (l *load) Echo(_ context.Context, text string) (string, error) { return text, nil }

func (l *load) Count(_ context.Context, n, size int) (iter.Seq2[Item, error], error) {
	if l.endless > 0 {
		if n < 0 || n > l.endless {
			n = l.endless
		}
		size = min(max(size, 0), 100)
	}
	text := strings.Repeat("x", size)
	return func(yield func(Item, error) bool) {
		l.counting.Add(1)
		defer l.counting.Add(-1)
		for i := 0; n < 0 || i < n; i++ {
			if !yield(Item{i, text}, nil) {
				return
			}
			l.produced.Add(1)
		}
	}, nil
}

func (l *load) Sum(_ context.Context, items iter.Seq2[Item, error]) (int, error) {
	return inOrder(items)
}

// inOrder ranges over a counted stream and returns how long it is.
func inOrder(items iter.Seq2[Item, error]) (n int, err error) {
	for it, err := range items {
		if err != nil {
			return n, err
		}
		if it.Seq != n {
			return n, fmt.Errorf("item %d comes where %d is due", it.Seq, n)
		}
		n++
	}
	return n, nil
}

// counted is a stream of n items.
func counted(n int) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for i := range n {
			if !yield(Item{Seq: i}, nil) {
				return
			}
		}
	}
}

func (l *load) Double(_ context.Context, items iter.Seq2[Item, error]) (iter.Seq2[Item, error], error) {
	return func(yield func(Item, error) bool) {
		for it, err := range items {
			if err != nil {
				yield(Item{}, err)
				return
			}
			if !yield(Item{Seq: 2 * it.Seq}, nil) || !yield(Item{Seq: 2*it.Seq + 1}, nil) {
				return
			}
		}
	}, nil
}

func (l *load) Wait(ctx context.Context) error {
	l.began()
	<-ctx.Done()
	if l.ended != nil {
		l.ended <- context.Cause(ctx)
	}
	return context.Cause(ctx)
}

func (l *load) Ignore(context.Context) error {
	l.began()
	<-l.release
	return nil
}

func (l *load) began() {
	if l.waiting != nil {
		l.waiting <- struct{}{}
	}
}

func (l *load) Blob(_ context.Context, n int) (string, error) {
	if l.endless > 0 {
		n = min(max(n, 0), l.endless)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return string(b), nil
}

func (l *load) Back(ctx context.Context, text string) (string, error) {
	return NewLoadClient(rpc.Peer(ctx)).Echo(ctx, text)
}

func (l *load) Drop(context.Context, iter.Seq2[Item, error]) error { return nil }

func (l *load) Keep(_ context.Context, of int, kept Kept) (Kept, error) {
	if l.came.Add(1) == int64(of) {
		close(l.all)
	}
	<-l.all
	return kept, nil
}

func (l *load) Once(_ context.Context, id int) (int, error) {
	l.done.run(id)
	return id, nil
}

func (l *load) Chat(ctx context.Context, n int) error {
	peer, source := NewLoadClient(rpc.Peer(ctx)), l.asked.source()
	defer source.close()
	for i := range n {
		if err := source.tell(ctx, peer); err != nil {
			return err
		}
		if err := l.asked.once(ctx, peer, time.Duration(i%5)*100*time.Microsecond); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) Tell(_ context.Context, n int64) error {
	if l.done != nil {
		l.done.note(n)
	}
	if l.told != nil {
		l.told <- int(n)
	}
	return nil
}
