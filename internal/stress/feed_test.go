package stress

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
)

// An Event counts how often it is encoded.
type Event struct{ N int }

var encodings atomic.Int64

func (e Event) MarshalJSON() ([]byte, error) {
	encodings.Add(1)
	return json.Marshal(struct {
		N     int
		Notes [20]int // to be worth sharing
	}{N: e.N})
}

func (e *Event) UnmarshalJSON(b []byte) error {
	var v struct{ N int }
	err := json.Unmarshal(b, &v)
	e.N = v.N
	return err
}

// A feed keeps what is published, and lets subscribers read on from where they
// are.
type feed struct {
	mu     sync.Mutex
	events []rpc.Shared[Event]
	more   chan struct{} // closed by the next publication
	ended  bool
}

func (f *feed) publish(e Event, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, rpc.Share(e))
	f.ended = last
	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// after returns what has come after the first n, waiting for it; nothing where
// the feed has ended.
func (f *feed) after(ctx context.Context, n int) []rpc.Shared[Event] {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.events) == n && !f.ended {
		if f.more == nil {
			f.more = make(chan struct{})
		}
		more := f.more
		f.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
		}
		f.mu.Lock()
		if ctx.Err() != nil {
			return nil
		}
	}
	return f.events[n:]
}

func (l *load) Feed(ctx context.Context) (iter.Seq2[rpc.Shared[Event], error], error) {
	return func(yield func(rpc.Shared[Event], error) bool) {
		for n := 0; ; {
			fresh := l.feed.after(ctx, n)
			if len(fresh) == 0 {
				return
			}
			for _, e := range fresh {
				if !yield(e, nil) {
					return
				}
			}
			n += len(fresh)
		}
	}, nil
}

func (l *load) FeedEach(ctx context.Context) (iter.Seq2[Event, error], error) {
	shared, err := l.Feed(ctx)
	return func(yield func(Event, error) bool) {
		for e, err := range shared {
			if !yield(e.Value(), err) {
				return
			}
		}
	}, err
}

// A shared event is encoded once for all who watch, once in each codec, and
// arrives as what it is.
func TestSharedIsEncodedOnce(t *testing.T) {
	const watchers, events = 20, 50
	impl := &load{}
	var wg sync.WaitGroup
	for _, opts := range []*rpc.DialOptions{nil, {Codec: cbor.Codec}} {
		p := overWebSocket(t, impl, nil, opts)
		for range watchers {
			wg.Go(func() {
				feed, err := p.Feed(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				got, err := rpc.Collect(feed)
				if len(got) != events || err != nil {
					t.Errorf("%d events, %v", len(got), err)
				}
				for i, e := range got {
					if e.Value().N != i {
						t.Errorf("event %d is %d", i, e.Value().N)
					}
				}
			})
		}
	}
	before := encodings.Load()
	for i := range events {
		impl.feed.publish(Event{i}, i == events-1)
	}
	wg.Wait()
	if n := encodings.Load() - before; n != 2*events {
		t.Errorf("%d events were encoded %d times for two codecs", events, n)
	}
}

// One event to a thousand streams on a hundred connections, encoded once or for
// each of them.
func BenchmarkFanOut(b *testing.B) {
	const conns, streams = 100, 10
	for name, subscribe := range map[string]func(*pair, context.Context) error{
		"shared": func(p *pair, ctx context.Context) error {
			feed, err := p.Feed(ctx)
			return drain(feed, err)
		},
		"each": func(p *pair, ctx context.Context) error {
			feed, err := p.FeedEach(ctx)
			return drain(feed, err)
		},
	} {
		b.Run(fmt.Sprintf("%s/%dx%d", name, conns, streams), func(b *testing.B) {
			impl := &load{}
			first := overWebSocket(b, impl, nil, nil)
			var wg sync.WaitGroup
			for range conns {
				p := again(b, first)
				for range streams {
					wg.Go(func() {
						if err := subscribe(p, context.Background()); err != nil {
							b.Error(err)
						}
					})
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				impl.feed.publish(Event{i}, i == b.N-1)
			}
			wg.Wait()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*conns*streams), "ns/delivery")
		})
	}
}

func drain[T any](seq iter.Seq2[T, error], err error) error {
	if err != nil {
		return err
	}
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}
