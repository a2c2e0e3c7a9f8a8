// Package ledger is a service that counts what reaches it, so that a test can compare that
// with what its clients have been told.
package ledger

import (
	"context"
	"iter"
	"sync"

	"github.com/wirecall/wirecall/rpc"
)

//go:generate go tool wirecall gen .

// Ledger is called by programs at random. Each operation has an id of its own.
//
//wirecall:service
type Ledger interface {
	// Post counts id, and returns it.
	Post(ctx context.Context, id int64) (int64, error)

	// Note counts id.
	//
	//wirecall:notify
	Note(ctx context.Context, id int64) error

	// Ask counts id, and has the caller's Mirror count it n times.
	Ask(ctx context.Context, id int64, n int) (int64, error)

	// Count streams the numbers from 1 to n.
	Count(ctx context.Context, n int64) (iter.Seq2[int64, error], error)

	// Follow streams the numbers behind after, to n.
	//
	//wirecall:cursor after=N
	Follow(ctx context.Context, after, n int64) (iter.Seq2[Entry, error], error)

	// Upload counts the numbers from 1 that come in order, and returns how many there are.
	Upload(ctx context.Context, id int64, numbers iter.Seq2[Entry, error]) (int64, error)

	// Echo returns each entry, with its number doubled.
	Echo(ctx context.Context, entries iter.Seq2[Entry, error]) (iter.Seq2[Entry, error], error)

	// Wait returns when its caller leaves.
	Wait(ctx context.Context, id int64) error
}

// Mirror is what a client serves.
//
//wirecall:service
type Mirror interface {
	// Reflect returns id.
	Reflect(ctx context.Context, id int64) (int64, error)
}

// An Entry has a number, and text of any length.
type Entry struct {
	N    int64
	Text string `json:",omitempty"`
}

// A Book is the Ledger that the server has.
type Book struct {
	mu       sync.Mutex
	Posts    map[int64]int   // executions by id
	Notes    map[int64]int   // the same
	Asks     map[int64]int   // the same
	Uploads  map[int64]int64 // entries by id
	Disorder []string        // what came otherwise than it was sent
	waiting  int             // handlers of Wait
	idle     []chan struct{} // to be closed when none of those runs
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{Posts: map[int64]int{}, Notes: map[int64]int{}, Asks: map[int64]int{}, Uploads: map[int64]int64{}}
}

func (b *Book) count(m map[int64]int, id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m[id]++
}

// Read has f look at the book.
func (b *Book) Read(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *Book) Post(_ context.Context, id int64) (int64, error) {
	b.count(b.Posts, id)
	return id, nil
}

func (b *Book) Note(_ context.Context, id int64) error {
	b.count(b.Notes, id)
	return nil
}

func (b *Book) Ask(ctx context.Context, id int64, n int) (sum int64, err error) {
	b.count(b.Asks, id)
	mirror := NewMirrorClient(rpc.Peer(ctx))
	for range n {
		got, err := mirror.Reflect(ctx, id)
		if err != nil {
			return 0, err
		}
		sum += got
	}
	return sum, nil
}

func (b *Book) Count(_ context.Context, n int64) (iter.Seq2[int64, error], error) {
	return func(yield func(int64, error) bool) {
		for i := range n {
			if !yield(i+1, nil) {
				return
			}
		}
	}, nil
}

func (b *Book) Follow(_ context.Context, after, n int64) (iter.Seq2[Entry, error], error) {
	return func(yield func(Entry, error) bool) {
		for i := after + 1; i <= n; i++ {
			if !yield(Entry{N: i}, nil) {
				return
			}
			if i%50 == 0 && i < n {
				yield(Entry{}, rpc.ComeAgain(0))
				return
			}
		}
	}, nil
}

func (b *Book) Upload(_ context.Context, id int64, numbers iter.Seq2[Entry, error]) (int64, error) {
	n := int64(0)
	for e, err := range numbers {
		if err != nil {
			return 0, err
		}
		if n++; e.N != n {
			b.Read(func() { b.Disorder = append(b.Disorder, "an upload") })
		}
	}
	b.Read(func() { b.Uploads[id] += n })
	return n, nil
}

func (b *Book) Echo(_ context.Context, entries iter.Seq2[Entry, error]) (iter.Seq2[Entry, error], error) {
	return func(yield func(Entry, error) bool) {
		for e, err := range entries {
			e.N *= 2
			if !yield(e, err) {
				return
			}
		}
	}, nil
}

func (b *Book) Wait(ctx context.Context, _ int64) error {
	b.waits(1)
	defer b.waits(-1)
	<-ctx.Done()
	return context.Cause(ctx)
}

func (b *Book) waits(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting += n; b.waiting == 0 {
		for _, ch := range b.idle {
			close(ch)
		}
		b.idle = nil
	}
}

// Idle returns a channel that is closed when no handler of Wait runs, and how many do now.
func (b *Book) Idle() (idle <-chan struct{}, waiting int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan struct{})
	if b.waiting == 0 {
		close(ch)
	} else {
		b.idle = append(b.idle, ch)
	}
	return ch, b.waiting
}
