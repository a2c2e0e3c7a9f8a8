package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// An entry is an item of a stream that resumes.
type entry struct{ ID int }

type afterParams struct{ After int }

func (*afterParams) names() []string { return []string{"after"} }
func (p *afterParams) Field(int) any { return &p.After }

// entries is a service of one method, which streams what follows.
func entries[T any](follow func(ctx context.Context, after int) iter.Seq2[T, error]) rpc.Service {
	return method("Log.After", func() (any, any) { return new(afterParams), new(gen1.Stream) }, func(ctx context.Context, c *rpc.Call) error {
		*c.Result.(*gen1.Stream) = gen1.Send(follow(ctx, c.Params.(*afterParams).After))
		return nil
	})
}

// through streams the entries behind after, up to n.
func through(n int) func(context.Context, int) iter.Seq2[entry, error] {
	return func(_ context.Context, after int) iter.Seq2[entry, error] {
		return func(yield func(entry, error) bool) {
			for id := after + 1; id <= n && yield(entry{id}, nil); id++ {
			}
		}
	}
}

// follow is what a generated client's method does.
func follow(ctx context.Context, caller rpc.Caller, after int) (iter.Seq2[entry, error], error) {
	p := afterParams{after}
	var r gen1.Stream
	call := rpc.Call{Method: &rpc.Method{Name: "Log.After", Params: []string{"after"}, Idempotent: true}, Params: &p, Result: &r}
	err := caller.Call(ctx, new(call))
	return gen1.Cursor(ctx, caller, &call, func(e entry) { p.After = e.ID }), err
}

// A relay is a Caller whose server can be replaced, and which can be made to
// fail.
type relay struct {
	t        *testing.T
	services []rpc.Service
	opts     rpc.ConnOptions

	mu    sync.Mutex
	srv   *rpc.Server
	conn  *rpc.Conn
	err   error // what calls fail with
	left  int   // how many
	brief bool  // the server goes a moment after a call
	calls []time.Time
}

func newRelay(t *testing.T, services ...rpc.Service) *relay {
	r := &relay{t: t, services: services}
	r.replace()
	return r
}

func (r *relay) Call(ctx context.Context, c *rpc.Call) error {
	r.mu.Lock()
	r.calls = append(r.calls, time.Now())
	conn, err := r.conn, r.err
	if r.left--; r.left < 0 {
		err = nil
	}
	if r.brief {
		time.AfterFunc(time.Millisecond, r.replace)
	}
	r.mu.Unlock()
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	return conn.Call(ctx, c)
}

// replace closes the server and starts another.
func (r *relay) replace() {
	r.mu.Lock()
	old := r.srv
	r.mu.Unlock()
	if old != nil {
		old.Close()
	}
	srv := server(nil, r.services...)
	conn := rpctest.Pair(r.t.Context(), r.t, srv, &r.opts)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.srv, r.conn = srv, conn
}

// fail makes the next n calls fail.
func (r *relay) fail(n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left, r.err = n, err
}

func (r *relay) made() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]time.Time(nil), r.calls...)
}

// unreachable is what Dial says of a server that is not there.
func unreachable(t *testing.T) error {
	_, err := rpc.Dial(t.Context(), "tcp://nowhere:1", &rpc.DialOptions{
		NetDial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") },
	})
	return err
}

// However often the server goes, each item comes once and in its place: also
// what had been received and not yet delivered, and items that are pointers.
func TestResumeExactlyOnce(t *testing.T) {
	for _, every := range []int{1, 7, 63, 64, 65, 500} {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := min(40*every, 2000)
				r := newRelay(t, entries(through(n)))
				seq, err := follow(t.Context(), r, 0)
				if err != nil {
					t.Fatal(err)
				}
				last := 0
				for e, err := range seq {
					if err != nil {
						t.Fatal(err)
					}
					if last++; e.ID != last {
						t.Fatalf("entry %d comes after %d", e.ID, last-1)
					}
					if last%every == 0 {
						synctest.Wait() // until as much as may is on its way
						r.replace()
					}
				}
				if last != n {
					t.Errorf("%d entries came, want %d", last, n)
				}
			})
		})
	}
}

func TestResumePointers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelay(t, entries(func(_ context.Context, after int) iter.Seq2[*entry, error] {
			return rpc.Of(&entry{after + 1}, nil, &entry{after + 2})
		}))
		var p afterParams
		var s gen1.Stream
		call := rpc.Call{Method: to("Log.After", "after"), Params: &p, Result: &s}
		if err := r.Call(t.Context(), new(call)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for e, err := range gen1.Cursor(t.Context(), r, &call, func(e *entry) {
			if e != nil {
				p.After = e.ID
			}
		}) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, "nil"); e != nil {
				got[len(got)-1] = fmt.Sprint(e.ID)
				e.ID = 100 // the user's
			}
		}
		if fmt.Sprint(got) != "[1 nil 2]" || p.After != 2 {
			t.Errorf("came %v, and the cursor is at %d", got, p.After)
		}
	})
}

// What the handler says is the end, whatever it looks like, and so is an item
// that cannot be decoded.
func TestResumeNotAfterAnError(t *testing.T) {
	ends := map[string]func(t *testing.T) error{
		"an error":     func(*testing.T) error { return errors.New("full") },
		"unavailable":  func(*testing.T) error { return rpc.Errorf(rpc.CodeUnavailable, "come again") },
		"session lost": func(*testing.T) error { return rpc.Errorf(rpc.CodeSessionLost, "gone") },
		"not run":      unreachable,
		"a loss of its own": func(t *testing.T) error {
			up := newRelay(t, entries(func(ctx context.Context, _ int) iter.Seq2[entry, error] {
				return func(func(entry, error) bool) { <-ctx.Done() }
			}))
			var s gen1.Stream
			if err := up.conn.Call(t.Context(), &rpc.Call{Method: to("Log.After"), Result: &s}); err != nil {
				return err
			}
			up.srv.Close()
			_, err := rpc.Collect(gen1.Receive[entry](s))
			return err
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				why := end(t)
				r := newRelay(t, entries(func(context.Context, int) iter.Seq2[entry, error] {
					return func(yield func(entry, error) bool) { _ = yield(entry{1}, nil) && yield(entry{}, why) }
				}))
				seq, _ := follow(t.Context(), r, 0)
				got, err := rpc.Collect(seq)
				if len(got) != 1 || err == nil || err.Error() != why.Error() || len(r.made()) != 1 {
					t.Errorf("%v, %v after %d calls", got, err, len(r.made()))
				}
			})
		})
	}
	t.Run("no such item", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRelay(t, entries(func(context.Context, int) iter.Seq2[string, error] { return rpc.Of("x") }))
			seq, _ := follow(t.Context(), r, 0)
			if _, err := rpc.Collect(seq); err == nil || len(r.made()) != 1 {
				t.Errorf("%v after %d calls", err, len(r.made()))
			}
		})
	})
}

// A call that fails is not resumed by its stream, which yields the error.
func TestResumeNotBeforeItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelay(t, entries(through(3)))
		r.srv.Close()
		synctest.Wait()
		seq, err := follow(t.Context(), r, 0)
		if _, err2 := rpc.Collect(seq); err == nil || err2 != err || len(r.made()) != 1 {
			t.Errorf("%v and %v after %d calls", err, err2, len(r.made()))
		}
	})
}

// tail streams the entries behind after up to n, and then waits.
func tail(n int) func(context.Context, int) iter.Seq2[entry, error] {
	return func(ctx context.Context, after int) iter.Seq2[entry, error] {
		return func(yield func(entry, error) bool) {
			for e := range through(n)(ctx, after) {
				if !yield(e, nil) {
					return
				}
			}
			<-ctx.Done()
			yield(entry{}, context.Cause(ctx))
		}
	}
}

// Where the server stays away the first try is at once, and the others after
// pauses that grow. A stream that has lasted makes the next loss's first be at
// once again.
func TestResumePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelay(t, entries(tail(1)))
		away := unreachable(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seq, _ := follow(ctx, r, 0)
		go func() {
			for range 2 {
				time.Sleep(time.Minute)
				r.fail(9, away)
				r.replace()
			}
			time.Sleep(time.Minute)
			cancel()
		}()
		if got, err := rpc.Collect(seq); len(got) != 1 || err != context.Canceled {
			t.Error(got, err)
		}
		made := r.made()
		if len(made) != 21 {
			t.Fatalf("%d calls", len(made))
		}
		for _, tries := range [][]time.Time{made[1:11], made[11:21]} {
			most := 100 * time.Millisecond
			if at := tries[0].Sub(made[0]) % time.Minute; at != 0 {
				t.Errorf("the first try comes %v after the loss", at)
			}
			for i := range tries[1:] {
				if d := tries[i+1].Sub(tries[i]); d < most/2 || d > most {
					t.Errorf("try %d comes after %v, want %v at most and half of it at least", i+2, d, most)
				}
				most = min(2*most, 5*time.Second)
			}
		}
	})
}

// A server that accepts the call and goes at once is not run down.
func TestResumeWithoutProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelay(t, entries(tail(0)))
		r.brief = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		seq, _ := follow(ctx, r, 0)
		if _, err := rpc.Collect(seq); err != context.DeadlineExceeded {
			t.Error(err)
		}
		if n := len(r.made()); n < 12 || n > 35 {
			t.Errorf("%d calls in a minute", n)
		}
	})
}

// The end of the context ends the waiting, with its cause.
func TestResumeUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelay(t, entries(tail(2)))
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		seq, _ := follow(ctx, r, 0)
		away := unreachable(t)
		var ended time.Time
		go func() {
			time.Sleep(time.Second)
			r.fail(1<<30, away)
			r.srv.Close()
			time.Sleep(time.Hour)
			ended = time.Now()
			cancel(enough)
		}()
		got, err := rpc.Collect(seq)
		if len(got) != 2 || err != enough || !time.Now().Equal(ended) {
			t.Errorf("%v, %v, %v late", got, err, time.Since(ended))
		}
	})
}

// Whoever pulls can stop at any time, and does when the server is away.
func TestResumeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan struct{})
		r := newRelay(t, entries(func(ctx context.Context, after int) iter.Seq2[entry, error] {
			return func(yield func(entry, error) bool) {
				for e, err := range tail(5)(ctx, after) {
					if !yield(e, err) {
						break
					}
				}
				if after > 0 {
					<-ctx.Done()
					close(left)
				}
			}
		}))
		seq, _ := follow(t.Context(), r, 0)
		next, stop := iter.Pull2(seq)
		for id := 1; id <= 3; id++ {
			if e, err, _ := next(); e.ID != id || err != nil {
				t.Fatal(e, err)
			}
			if id == 1 {
				synctest.Wait()
				r.replace()
			}
		}
		stop()
		for range 2 {
			if _, err := rpc.Collect(seq); err != rpc.ErrStreamUsed {
				t.Error("a second range:", err)
			}
		}
	})
}

// The call that is made again fails for good: the stream yields that.
func TestResumeFails(t *testing.T) {
	for name, lose := range map[string]func(r *relay){
		"not you": func(r *relay) {
			r.fail(1, rpc.Errorf(rpc.CodePermissionDenied, "not you"))
			r.srv.Close()
		},
		"method not found":  func(r *relay) { r.services = nil; r.replace() },
		"connection closed": func(r *relay) { r.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRelay(t, entries(tail(1)))
				seq, _ := follow(t.Context(), r, 0)
				time.AfterFunc(time.Second, func() { lose(r) })
				got, err := rpc.Collect(seq)
				if len(got) != 1 || err == nil || !strings.Contains(err.Error(), name) {
					t.Error(got, err)
				}
			})
		})
	}
}

// A connection that does not come back says so, instead of trying for ever.
func TestResumeOnConnThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(nil, entries(tail(1)))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		seq, _ := follow(t.Context(), conn, 0)
		time.AfterFunc(time.Second, func() { srv.Close() })
		got, err := rpc.Collect(seq)
		if len(got) != 1 || !errors.Is(err, rpc.CodeUnavailable) {
			t.Error(got, err)
		}
	})
}

// A connection that is made again carries the stream on; closing it ends the
// waiting for that.
func TestResumeOnConnThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv atomic.Pointer[rpc.Server]
		srv.Store(server(nil, entries(tail(1))))
		conn, err := rpc.Dial(t.Context(), "tcp://server:1", &rpc.DialOptions{
			NetDial: func(context.Context, string, string) (net.Conn, error) {
				near, _ := servePipe(context.Background(), srv.Load())
				return near, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		var closed time.Time
		go func() {
			for n := 2; n <= 5; n++ {
				time.Sleep(time.Hour)
				srv.Swap(server(nil, entries(tail(n)))).Close()
			}
			time.Sleep(time.Hour)
			srv.Load().Close()
			time.Sleep(time.Hour)
			closed = time.Now()
			conn.Close()
		}()
		seq, _ := follow(t.Context(), conn, 0)
		got, err := rpc.Collect(seq)
		if fmt.Sprint(got) != "[{1} {2} {3} {4} {5}]" || !errors.Is(err, rpc.ErrClosed) || !time.Now().Equal(closed) {
			t.Errorf("%v, %v, %v after it was closed", got, err, time.Since(closed))
		}
	})
}

// What interceptors do to a call they do to each anew.
func TestResumeThroughInterceptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{t: t, services: []rpc.Service{entries(through(3))}}
		r.opts.CallInterceptors = []rpc.Interceptor{func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
			m := *c.Method
			m.Name = "Log." + m.Name
			c.Method = &m
			return next(ctx, c)
		}}
		r.replace()
		var p afterParams
		var s gen1.Stream
		call := rpc.Call{Method: to("After", "after"), Params: &p, Result: &s}
		if err := r.Call(t.Context(), new(call)); err != nil {
			t.Fatal(err)
		}
		n := 0
		for e, err := range gen1.Cursor(t.Context(), r, &call, func(e entry) { p.After = e.ID }) {
			if n++; err != nil || e.ID != n {
				t.Fatal(e, err)
			}
			r.replace()
		}
	})
}
