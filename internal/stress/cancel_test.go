package stress

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A caller whose context ends returns at once; the handler's context ends too.
func TestCancelReachesHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impl := &load{waiting: make(chan struct{}, 1), ended: make(chan error, 1)}
		p := inMemory(t, impl, nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-impl.waiting
			cancel()
		}()
		if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v", err)
		}
		if err := <-impl.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler's context: %v", err)
		}
	})
}

// A deadline travels: the handler has it, and gives up by itself.
func TestDeadlineTravels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impl := &load{ended: make(chan error, 1)}
		p := inMemory(t, impl, nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
		if err := <-impl.ended; err == nil || time.Since(start) != 1500*time.Millisecond {
			t.Errorf("the handler's context ended with %v after %v", err, time.Since(start))
		}
	})
}

// A client that disconnects cancels its handlers, those of streams included.
func TestDisconnectCancelsHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impl := &load{waiting: make(chan struct{}, 1), ended: make(chan error, 1)}
		p := inMemory(t, impl, nil, nil)
		go p.Wait(t.Context())
		<-impl.waiting
		items, err := p.Count(t.Context(), -1, 10)
		if err != nil {
			t.Fatal(err)
		}
		p.conn.Close()
		if err := <-impl.ended; err == nil {
			t.Error("the handler's context has no cause")
		}
		if _, err := inOrder(items); !errors.Is(err, rpc.ErrClosed) {
			t.Errorf("the stream ended with %v", err)
		}
		synctest.Wait()
		if n := impl.counting.Load(); n != 0 {
			t.Errorf("%d producers still run", n)
		}
	})
}

// A handler that ignores its cancelled context still counts against the limit:
// otherwise a client that cancels at once could start any number of them.
func TestIgnoredCancelCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impl := &load{waiting: make(chan struct{}, 10), release: make(chan struct{})}
		p := inMemory(t, impl, &rpc.ServerOptions{Limits: rpc.Limits{Calls: 3}}, nil)
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-impl.waiting
				cancel()
			}()
			if err := p.Ignore(ctx); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := p.Echo(ctx, "hi"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a fourth call got %v while three handlers run", err)
		}
		close(impl.release)
		if s, err := p.Echo(t.Context(), "hi"); s != "hi" || err != nil {
			t.Errorf("Echo after the handlers returned: %q, %v", s, err)
		}
	})
}

// A hundred thousand calls that are cancelled at a random moment leave nothing
// behind, and the calls beside them are right.
func TestRapidReset(t *testing.T) {
	everywhere(t, func(t *testing.T, p *pair, _ *load) {
		for i := range scale(3000, 30) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%50)*time.Microsecond)
			go p.Echo(ctx, "other")
			if s, err := p.Echo(ctx, "mine"); err == nil && s != "mine" {
				t.Fatal(s)
			}
			cancel()
			if i%100 == 0 {
				if s, err := p.Echo(t.Context(), "still"); s != "still" || err != nil {
					t.Fatal(s, err)
				}
			}
		}
		if err := p.srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// Streams that are given and taken at random moments, with contexts that end at
// others, leave nothing behind.
func TestStreamsCutAtRandom(t *testing.T) {
	everywhere(t, func(t *testing.T, p *pair, impl *load) {
		for i := range scale(1500, 30) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%200)*time.Microsecond)
			items, err := p.Double(ctx, counted(1000))
			if err == nil {
				n := 0
				for it, err := range items {
					if err != nil {
						break
					}
					if it.Seq != n {
						t.Fatal(it, n)
					}
					if n++; n == i%300 {
						break
					}
				}
			}
			if i%3 == 0 {
				p.Drop(ctx, counted(i)) // nobody takes them
			}
			cancel()
		}
		if err := p.srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// Where the limit of calls is reached a caller waits, except in a handler that
// serves the same peer, where waiting could be for itself.
func TestNoWaitInsideHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := &load{waiting: make(chan struct{}, 1)}
		p := inMemory(t, &load{}, nil, &rpc.ConnOptions{
			Services: []rpc.Service{LoadService(peer)},
			Limits:   rpc.Limits{Calls: 1},
		})
		if s, err := p.Back(t.Context(), "hi"); s != "hi" || err != nil {
			t.Fatal(s, err)
		}
		block := rpc.NewServer(&rpc.ServerOptions{})
		var back rpc.Caller
		got := make(chan struct{})
		block.Register(rpc.Service{Methods: []*rpc.Method{{Name: "Get", Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
			back = rpc.Peer(ctx)
			close(got)
			return nil
		}}, {Name: "Try", Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
			_, err := NewLoadClient(rpc.Peer(ctx)).Echo(ctx, "hi")
			return err
		}}}})
		conn := rpctest.Pair(t.Context(), t, block, &rpc.ConnOptions{
			Services: []rpc.Service{LoadService(peer)},
			Limits:   rpc.Limits{Calls: 1},
		})
		if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Get"}}); err != nil {
			t.Fatal(err)
		}
		<-got
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go NewLoadClient(back).Wait(ctx)
		<-peer.waiting
		err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Try"}})
		if e, ok := errors.AsType[*rpc.Error](err); !ok || e.Code != rpc.CodeLimitReached || !strings.Contains(e.Message, "no more calls") {
			t.Errorf("a call from inside the handler: %v", err)
		}
	})
}
