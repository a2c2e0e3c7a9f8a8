package stress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// Every item of every stream arrives, in order, once, and each stream ends once,
// with its reason, while streams run in both directions over one connection.
func TestOrder(t *testing.T) {
	const streams = 64
	n := scale(100_000, 20) / streams
	everywhere(t, func(t *testing.T, p *pair, _ *load) {
		var wg sync.WaitGroup
		for range streams / 4 {
			wg.Go(func() { wantCount(t, n)(p.Sum(t.Context(), counted(n))) })
			wg.Go(func() {
				items, err := p.Count(t.Context(), n, 10)
				if err != nil {
					t.Error(err)
					return
				}
				wantCount(t, n)(inOrder(items))
			})
			wg.Go(func() { // both ways at once
				items, err := p.Double(t.Context(), counted(n))
				if err != nil {
					t.Error(err)
					return
				}
				wantCount(t, 2*n)(inOrder(items))
			})
		}
		wg.Wait()
	})
}

func wantCount(t *testing.T, want int) func(int, error) {
	return func(n int, err error) {
		t.Helper()
		if n != want || err != nil {
			t.Errorf("%d items, %v; want %d", n, err, want)
		}
	}
}

// The error that a producer ends with arrives behind all of its items.
func TestErrorComesLast(t *testing.T) {
	everywhere(t, func(t *testing.T, p *pair, _ *load) {
		n, err := p.Sum(t.Context(), func(yield func(Item, error) bool) {
			for i := range 5000 {
				if !yield(Item{Seq: i}, nil) {
					return
				}
			}
			yield(Item{}, errors.New("disk full"))
		})
		if n != 0 || err == nil || err.Error() != "disk full" {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// A range that is left ends the producer at its next yield, and leaves nothing
// behind that would keep a later stream from running.
func TestBreakEndsProducer(t *testing.T) {
	everywhere(t, func(t *testing.T, p *pair, impl *load) {
		for range scale(500, 10) {
			items, err := p.Count(t.Context(), -1, 100)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for it, err := range items {
				if err != nil || it.Seq != n {
					t.Fatal(it, err)
				}
				if n++; n == 100 {
					break
				}
			}
		}
		if err := p.srv.Shutdown(t.Context()); err != nil { // waits for all that runs
			t.Fatal(err)
		}
		if n := impl.counting.Load(); n != 0 {
			t.Errorf("%d producers still run", n)
		}
	})
}

// A context that ends in the middle of a stream ends it on both sides, with its
// cause, whatever is buffered.
func TestContextEndsStream(t *testing.T) {
	everywhere(t, func(t *testing.T, p *pair, impl *load) {
		cause := errors.New("seen enough")
		for range 50 {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			items, err := p.Count(ctx, -1, 100)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, err = range items {
				if n++; n == 10 {
					cancel(cause)
				}
			}
			if !errors.Is(err, cause) {
				t.Fatalf("after %d items the stream ended with %v", n, err)
			}
		}
		if err := p.srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := impl.counting.Load(); n != 0 {
			t.Errorf("%d producers still run", n)
		}
	})
}

// What a handler has been given, and a caller has got, is theirs: the buffers that
// it was decoded from are used again at once.
func TestValuesAreTheirOwn(t *testing.T) {
	const calls = 200
	everywhere(t, func(t *testing.T, p *pair, impl *load) {
		impl.all = make(chan struct{})
		var wg sync.WaitGroup
		for i := range calls {
			wg.Go(func() {
				name := fmt.Sprintf("%d-%s", i, strings.Repeat("x", i))
				sent := Kept{
					Text: name, Raw: json.RawMessage(`{"n":"` + name + `"}`), Bytes: []byte(name), Any: []any{name},
					List: []string{name, "\n" + name}, Map: map[string]Item{name: {i, name}},
				}
				got, err := p.Keep(t.Context(), calls, sent)
				if err != nil || !reflect.DeepEqual(got, sent) {
					t.Errorf("sent %v, got %v, %v", sent, got, err)
				}
			})
		}
		wg.Wait()
	})
}
