package stress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A transport is one of those that carry a session.
type transport struct {
	name, scheme string
	codec        codec.Codec
}

var transports = []transport{{"lines", "tcp", nil}, {"json", "ws", nil}, {"cbor", "ws", cbor.Codec}}

// overEach runs a test over each transport.
func overEach(t *testing.T, test func(t *testing.T, tr transport)) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) { test(t, tr) })
	}
}

// A lasting is a pair whose session outlives its sockets. Each end keeps a ledger
// of what is done there.
type lasting struct {
	*pair
	near, far *load // the client's and the server's
	stop      func()
	ops       atomic.Int64
	items     atomic.Int64 // of streams
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// last connects a lasting over sockets that ln accepts and dial makes.
func last(t testing.TB, tr transport, ln net.Listener, dial dialFunc, window time.Duration, limits rpc.Limits) *lasting {
	t.Helper()
	l := newLasting()
	srv := l.server(&rpc.SessionOptions{Window: window}, limits)
	l.connect(t, tr, ln.Addr().String(), dial, limits, srv, serve(srv, tr, ln))
	return l
}

func newLasting() *lasting {
	a, b := newLedger(), newLedger()
	return &lasting{near: &load{done: a}, far: &load{done: b, asked: a}}
}

var quiet = slog.New(slog.DiscardHandler)

// server returns a server of the far end.
func (l *lasting) server(sessions *rpc.SessionOptions, limits rpc.Limits) *rpc.Server {
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: sessions, Codecs: []codec.Codec{cbor.Codec}, Limits: limits, Logger: quiet})
	srv.Register(LoadService(l.far))
	return srv
}

// connect connects the near end. stop ends the server, or all of them.
func (l *lasting) connect(t testing.TB, tr transport, addr string, dial dialFunc, limits rpc.Limits, srv *rpc.Server, stop func()) {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), tr.scheme+"://"+addr, &rpc.DialOptions{
		Codec: tr.codec, Services: []rpc.Service{LoadService(l.near)}, NetDial: dial, Resume: true, Limits: limits, Logger: quiet,
		Reconnect: rpc.Reconnect{RetryFirst: true, MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond},
	})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	l.pair = &pair{NewLoadClient(conn), conn, srv, tr.scheme + "://" + addr}
	l.stop = sync.OnceFunc(func() {
		conn.Close()
		stop()
	})
	t.Cleanup(l.stop)
}

// serve accepts what comes until what it returns is called.
func serve(srv *rpc.Server, tr transport, ln net.Listener) (stop func()) {
	hs := &http.Server{Handler: srv, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	var wg sync.WaitGroup
	wg.Go(func() {
		if tr.scheme == "ws" {
			hs.Serve(ln)
		} else {
			srv.Serve(context.Background(), ln)
		}
	})
	return func() {
		ln.Close()
		srv.Close()
		hs.Close()
		wg.Wait()
	}
}

// done is how many calls and notifications have run, at both ends.
func (l *lasting) done() int { return l.near.done.done() + l.far.done.done() }

// work does all kinds of things, n times, one after the other. Nothing may fail
// but what has been given up.
func (l *lasting) work(ctx context.Context, r *rand.Rand, n int) error {
	notes := l.far.done.source()
	defer notes.close()
	for range n {
		var err error
		switch op := r.IntN(16); op {
		case 0, 1, 2:
			err = notes.tell(ctx, l)
		case 3:
			err = l.Chat(ctx, r.IntN(8))
			l.ops.Add(1)
		case 4:
			err = l.far.done.once(ctx, l, upTo(r, 5*time.Millisecond))
		case 5, 6, 7, 8:
			err = l.stream(ctx, r, op)
			l.ops.Add(1)
		default:
			err = l.far.done.once(ctx, l, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most))) + 1
}

// stream lets one kind of stream run to its end, or gives it up.
func (l *lasting) stream(ctx context.Context, r *rand.Rand, op int) error {
	if r.IntN(3) == 0 {
		return l.abandon(ctx, r, op)
	}
	n := r.IntN(150)
	l.items.Add(int64(n))
	switch op {
	case 5:
		return same(n)(l.Sum(ctx, counted(n)))
	case 6:
		items, err := l.Double(ctx, counted(n))
		if err != nil {
			return err
		}
		l.items.Add(2 * int64(n))
		return same(2 * n)(inOrder(items))
	case 7:
		s, err := l.Blob(ctx, n*100)
		return same(n*100)(len(s), err)
	}
	items, err := l.Count(ctx, n, r.IntN(300))
	if err != nil {
		return err
	}
	return same(n)(inOrder(items))
}

// same makes an error of a number that is not the one wanted.
func same(want int) func(int, error) error {
	return func(n int, err error) error {
		if err == nil && n != want {
			err = fmt.Errorf("%d came of %d", n, want)
		}
		return err
	}
}

// abandon begins a stream and does not end it. What comes until then is in order.
func (l *lasting) abandon(ctx context.Context, r *rand.Rand, op int) error {
	limited, cancel := context.WithTimeout(ctx, upTo(r, 20*time.Millisecond))
	defer cancel()
	var err error
	switch op {
	case 5:
		_, err = l.Sum(limited, counted(1<<30))
	case 6:
		err = l.Wait(limited)
	case 7:
		return l.Drop(ctx, counted(100))
	default:
		err = l.leave(limited, r.IntN(200))
	}
	if givenUp(limited, err) {
		return nil
	}
	return err
}

// leave takes n items of an endless stream.
func (l *lasting) leave(ctx context.Context, n int) error {
	items, err := l.Count(ctx, -1, 20)
	if err != nil {
		return err
	}
	want := 0
	for it, err := range items {
		switch {
		case err != nil:
			return err
		case it.Seq != want:
			return fmt.Errorf("item %d comes where %d is due", it.Seq, want)
		}
		if want++; want > n {
			break
		}
	}
	return nil
}

// together has some work at a time until enough says so, and reports what went
// wrong.
func (l *lasting) together(t *testing.T, seed uint64, workers int, enough func() bool) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for !enough() && !t.Failed() {
				if err := l.work(t.Context(), r, 10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// settle holds that all was done, by one session, and that nothing is left.
func (l *lasting) settle(t *testing.T) {
	t.Helper()
	l.near.done.check(t, "the client")
	l.far.done.check(t, "the server")
	if st := l.conn.State(); st.Session != 1 && !l.near.done.lossy {
		t.Errorf("it took %d sessions", st.Session)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := l.srv.Shutdown(ctx); err != nil { // waits for all that runs
		t.Errorf("the server is not idle: %v, %+v", err, l.conn.State())
		buf := make([]byte, 1<<20)
		t.Logf("%s", buf[:runtime.Stack(buf, true)])
		l.stop()
		return
	}
	l.far.counting.awaitZero() // where there was no socket, producers may not have heard yet
	l.stop()
}

// Whichever byte of a conversation is the last to arrive, and however its socket
// ends, all that was asked for is done once.
func TestCutAtEveryByte(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		whole := converse(t, tr, nil)
		cuts, runs := 0, 0
		step := 601
		if *long {
			step = 1
		}
		for at := 0; at < max(whole.Up, whole.Down) && !t.Failed(); at += step {
			for i, do := range []rpctest.Action{rpctest.Cut, rpctest.Hangup, rpctest.HalfClose, rpctest.Stall} {
				p := rpctest.Path{Events: []rpctest.Event{{At: at + i*step/4, Do: do}}}
				for _, plan := range []rpctest.Plan{{Up: p}, {Down: p}} {
					stats := converse(t, tr, func(n int) rpctest.Plan {
						if n > 1 {
							return rpctest.Plan{}
						}
						return plan // the second one as well: it resumes
					})
					cuts += stats.Cuts + stats.Hangups + stats.HalfCloses + stats.Stalls
					if runs++; t.Failed() {
						t.Fatalf("%+v", plan)
					}
				}
			}
		}
		t.Logf("%d bytes up, %d down: %d cuts in %d runs", whole.Up, whole.Down, cuts, runs)
	})
}

// converse has a conversation of all kinds of things, the same whenever it is
// called, over a network with a plan.
func converse(t *testing.T, tr transport, plan func(int) rpctest.Plan) (stats rpctest.Stats) {
	synctest.Test(t, func(t *testing.T) {
		network := &rpctest.Network{Plan: plan}
		l := last(t, tr, network.Listen(), network.Dial, 0, rpc.Limits{IdleTimeout: 3 * time.Second})
		var wg sync.WaitGroup
		for _, f := range []func(ctx context.Context) error{
			func(ctx context.Context) error { return l.far.done.once(ctx, l, 0) },
			func(ctx context.Context) error { return l.Chat(ctx, 2) },
			func(ctx context.Context) error { return same(70)(l.Sum(ctx, counted(70))) },
			func(ctx context.Context) error { return l.leave(ctx, 3) },
			func(ctx context.Context) error {
				items, err := l.Double(ctx, counted(40))
				return errors.Join(err, same(80)(inOrder(items)))
			},
		} {
			wg.Go(func() {
				if err := f(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		notes := l.far.done.source()
		defer notes.close()
		for range 3 {
			if err := notes.tell(t.Context(), l); err != nil {
				t.Error(err)
			}
		}
		stats = network.Stats()
		l.settle(t)
		time.Sleep(5 * time.Second) // goodbyes that nobody hears
		if t.Failed() {
			t.Logf("%+v", stats)
		}
	})
	return stats
}

// Over a network that is never in order for long all is done once.
func TestOnceOverFaults(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		for seed := range uint64(scale(1, 300)) {
			synctest.Test(t, func(t *testing.T) {
				f := rpctest.Faults{Seed: seed, Cut: 0.9, Hangup: 0.4, HalfClose: 0.4, Stall: 0.2, Drip: 0.1, Refuse: 0.1,
					Within: 20_000, StallFor: 10 * time.Second, Latency: 2 * time.Millisecond}
				network := &rpctest.Network{Plan: f.Plan}
				l := last(t, tr, network.Listen(), network.Dial, 0, rpc.Limits{IdleTimeout: 3 * time.Second})
				l.together(t, seed, 8, func() bool { return l.done() > 400 })
				stats := network.Stats()
				if l.settle(t); t.Failed() || seed == 0 {
					t.Logf("%d: %+v, %v", seed, stats, l)
				}
				time.Sleep(5 * time.Second) // goodbyes that nobody hears
			})
			if t.Failed() {
				return
			}
		}
	})
}

func (l *lasting) String() string {
	return fmt.Sprintf("%d calls and notifications, %d streams and chats of %d items, %d session", l.done(), l.ops.Load(), l.items.Load(), l.conn.State().Session)
}
