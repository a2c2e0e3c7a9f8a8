package stress

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
)

// A session may end at any moment, also while its socket is cut or a new one
// takes it up, by either side's wish or because its time is over. Calls then fail
// or are made again, but none runs twice, what was to go on does, and nothing is
// left behind.
func TestEndAtAnyMoment(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		before := runtime.NumGoroutine()
		for i := range scale(12, 50) {
			if endOnce(t, tr, rand.New(rand.NewPCG(3, uint64(i)))); t.Failed() {
				t.Fatalf("in round %d", i)
			}
		}
		noneLeft(t, before)
	})
}

// endOnce works over sockets that break, and ends one side or the other.
func endOnce(t *testing.T, tr transport, r *rand.Rand) {
	b, done, quiet := &breaker{}, newLedger(), slog.New(slog.DiscardHandler)
	impl := &load{done: done}
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{Window: time.Millisecond + upTo(r, 7*time.Millisecond)}, Codecs: []codec.Codec{cbor.Codec}, Logger: quiet})
	srv.Register(LoadService(impl))
	ln := listenLoopback(t)
	stop := serve(srv, tr, ln)
	defer stop()
	conn, err := rpc.Dial(t.Context(), tr.scheme+"://"+ln.Addr().String(), &rpc.DialOptions{
		Codec: tr.codec, NetDial: b.dial, Resume: true, Logger: quiet,
		Reconnect: rpc.Reconnect{MinDelay: 5 * time.Millisecond, MaxDelay: 10 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	calm := keepCutting(b.cut, 10*time.Millisecond)
	p := NewLoadClient(conn)
	var (
		wg     sync.WaitGroup
		left   atomic.Int64 // calls, until the end
		moment = make(chan struct{})
	)
	left.Store(1 + r.Int64N(100))
	for _, f := range []func(){
		func() { done.once(ctx, p, 0) },
		func() { p.Sum(ctx, counted(1000)) },
		func() { drain(p.Count(ctx, 1000, 10)) },
		func() { drain(p.Double(ctx, counted(1000))) },
	} {
		wg.Go(func() {
			for ctx.Err() == nil && conn.Err() == nil {
				if f(); left.Add(-1) == 0 {
					close(moment)
				}
			}
		})
	}
	select {
	case <-moment:
	case <-conn.Done():
	case <-ctx.Done():
	}
	how := r.IntN(4)
	switch how {
	case 0:
		conn.Close()
	case 1:
		srv.Close()
	case 2:
		shortly, cancel := context.WithTimeout(ctx, upTo(r, 20*time.Millisecond))
		srv.Shutdown(shortly)
		cancel()
	}
	calm()
	for how == 3 { // nobody has ended it
		if _, err := p.Echo(ctx, "still there"); err == nil || ctx.Err() != nil {
			break
		}
	}
	conn.Close()
	wg.Wait()
	if ctx.Err() != nil {
		t.Error("what was called has not come back")
	}
	for _, what := range done.wrong {
		t.Error(what)
	}
}

// A client's goodbye is heard, whatever is on its way: its session ends, and does
// not wait for it to come back.
func TestGoodbyeEndsSession(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		for range scale(5, 80) {
			impl := &load{waiting: make(chan struct{}, 1), ended: make(chan error, 1)}
			l := last(t, tr, listenLoopback(t), nil, 24*time.Hour, rpc.Limits{})
			l.srv.Register(rpc.Service{Methods: []*rpc.Method{{Name: "Stay", Serve: func(ctx context.Context, _ any, _ *rpc.Call) error { return impl.Wait(ctx) }}}})
			go l.conn.Call(context.Background(), &rpc.Call{Method: &rpc.Method{Name: "Stay"}})
			<-impl.waiting
			for range 4 {
				items, err := l.Count(t.Context(), -1, 10_000)
				if err != nil {
					t.Fatal(err)
				}
				begun := make(chan struct{})
				go drain(func(yield func(Item, error) bool) {
					begin := sync.OnceFunc(func() { close(begun) })
					for it, err := range items {
						if begin(); !yield(it, err) {
							return
						}
					}
				}, nil)
				<-begun
			}
			l.conn.Close()
			<-impl.ended // long before the session's time is over
			l.stop()
		}
	})
}
