package rpc_test

import (
	"context"
	"errors"
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

// An endingContext ends when it is first waited for, after it has called before.
type endingContext struct {
	context.Context
	end    func()
	before func()
	once   sync.Once
}

func endsWhenAwaited(before func()) *endingContext {
	ctx, end := context.WithCancel(context.Background())
	return &endingContext{Context: ctx, end: end, before: before}
}

func (c *endingContext) Done() <-chan struct{} {
	c.once.Do(func() {
		c.before()
		c.end()
	})
	return c.Context.Done()
}

// A caller may be given the place for its call at the moment at which its context
// ends. Whichever of the two it sees, the place is not lost.
func TestPlaceGivenToOneWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int64
		goOn := make(chan struct{})
		srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 1}}, counted(&ran, goOn), method("Test.Nop", nil, nop))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		for range 40 { // it sees one of them by chance
			first := inFlight(conn, &rpc.Call{Method: to("Test.Work")})
			_ = conn.Call(endsWhenAwaited(func() {
				goOn <- struct{}{}
				if err := <-first; err != nil {
					t.Error(err)
				}
			}), &rpc.Call{Method: to("Test.Nop")})
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := conn.Call(ctx, &rpc.Call{Method: to("Test.Nop")})
			cancel()
			if err != nil {
				t.Fatal("the place for a call is lost:", err)
			}
		}
	})
}

// A caller who leaves the queue of those who wait for a place takes none later.
func TestPlaceOfOneWhoHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int64
		goOn := make(chan struct{})
		srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 1}}, counted(&ran, goOn), method("Test.Nop", nil, nop))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		first := inFlight(conn, &rpc.Call{Method: to("Test.Work")})
		left, leave := context.WithCancel(t.Context())
		second := make(chan error, 1)
		go func() { second <- conn.Call(left, &rpc.Call{Method: to("Test.Nop")}) }()
		synctest.Wait()
		third := inFlight(conn, &rpc.Call{Method: to("Test.Nop")})
		leave()
		if err := <-second; err != context.Canceled {
			t.Error(err)
		}
		goOn <- struct{}{}
		synctest.Wait()
		if err := <-first; err != nil {
			t.Error(err)
		}
		select {
		case err := <-third:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Fatal("the place was given to a caller who had left")
		}
	})
}

// A connection may end when a caller has just been given the place for its call: the
// call has not run.
func TestPlaceOnConnectionThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int64
		goOn := make(chan struct{})
		srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 1}}, counted(&ran, goOn), method("Test.Nop", nil, nop))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		first := inFlight(conn, &rpc.Call{Method: to("Test.Work")})
		ctx := endsWhenAwaited(func() {
			goOn <- struct{}{}
			if err := <-first; err != nil {
				t.Error(err)
			}
			conn.Close()
		})
		ctx.end = func() {}
		if err := conn.Call(ctx, &rpc.Call{Method: to("Test.Nop")}); !errors.Is(err, rpc.ErrClosed) || !rpc.NotRun(err) {
			t.Errorf("the call ended with %v, which has not run: %v", err, rpc.NotRun(err))
		}
	})
}

// A connection may end while the parameters of a call are encoded: the call has not
// run.
func TestConnectionEndsDuringEncoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := rpctest.Pair(t.Context(), t, server(nil, services()...), nil)
		_, err := NewSubjectClient(conn).Say(t.Context(), closing{conn})
		if !errors.Is(err, rpc.ErrClosed) || !rpc.NotRun(err) {
			t.Errorf("the call ended with %v, which has not run: %v", err, rpc.NotRun(err))
		}
	})
}

// A closing closes a connection when it is encoded.
type closing struct{ conn *rpc.Conn }

func (c closing) MarshalJSON() ([]byte, error) {
	c.conn.Close()
	return []byte("1"), nil
}

// An answer may come at the moment at which the caller's context ends. Whichever of
// the two the caller sees, the streams of an answer that nobody gets are cancelled.
func TestStreamsOfAnswerToOneWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := rpctest.Pair(t.Context(), t, server(nil, feed()), nil)
		for range 40 { // it sees one of them by chance
			var s gen1.Stream
			err := conn.Call(endsWhenAwaited(func() { time.Sleep(time.Second) }), // until the answer has come
				&rpc.Call{Method: to("Test.Feed", "after"), Params: &feedParams{}, Result: &s})
			if err == nil {
				for range gen1.Receive[int](s) {
					break
				}
			}
			time.Sleep(2 * time.Second)
			if st := conn.Stats(); st != (rpc.Stats{}) {
				t.Fatalf("after %v the connection holds %+v", err, st)
			}
		}
	})
}

// A countingContext counts what waits for its end. See context.AfterFunc.
type countingContext struct {
	context.Context
	done    chan struct{}
	waiting atomic.Int64
}

func (c *countingContext) Done() <-chan struct{} { return c.done }

func (c *countingContext) AfterFunc(func()) (stop func() bool) {
	c.waiting.Add(1)
	return sync.OnceValue(func() bool { c.waiting.Add(-1); return true })
}

// An unsendable has a stream and a value that cannot be encoded.
type unsendable struct {
	Nums gen1.Stream
	Func any
}

func (*unsendable) names() []string   { return []string{"nums", "func"} }
func (p *unsendable) Field(i int) any { return [...]any{&p.Nums, &p.Func}[i] }

// What a call has its context call at its end is taken back when the call and its
// streams are over: the context may be that of the whole program.
func TestContextOutlivesCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := rpctest.Pair(t.Context(), t, server(nil, services()...), nil)
		subject := NewSubjectClient(conn)
		ctx := &countingContext{Context: t.Context(), done: make(chan struct{})}
		calls := map[string]func() error{
			"upload": func() error {
				_, err := subject.Sum(ctx, upTo(3, nil))
				return err
			},
			"upload that is not sent": func() error {
				p := &unsendable{gen1.Send(upTo(3, nil)), func() {}}
				if err := conn.Call(ctx, &rpc.Call{Method: to("Test.Sum", p.names()...), Params: p}); !rpc.NotRun(err) {
					t.Errorf("a function as a parameter: %v", err)
				}
				return nil
			},
			"stream": func() error {
				numbers, err := subject.Count(ctx, 3)
				if err != nil {
					return err
				}
				for range numbers {
				}
				return nil
			},
		}
		for name, call := range calls {
			if err := call(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			synctest.Wait()
			if n := ctx.waiting.Load(); n != 0 {
				t.Errorf("%s: its context still has %d functions to call", name, n)
			}
		}
	})
}

// A result that cannot be encoded gives its streams back: they do not count against the
// limit for ever, and their producers release what they hold.
func TestResultThatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Int64
		items := func(yield func(int, error) bool) {
			defer func() { released.Add(1) }()
			yield(1, nil)
		}
		made := method("Test.Make", func() (any, any) { return nil, new(unsendable) }, func(_ context.Context, c *rpc.Call) error {
			*c.Result.(*unsendable) = unsendable{gen1.Send(items), func() {}}
			return nil
		})
		limits := rpc.Limits{Streams: 2}
		conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{Limits: limits}, append(services(), made)...), nil)
		for range 5 {
			result := new(unsendable)
			err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Make", Results: result.names()}, Result: result})
			if rpc.CodeOf(err) != rpc.CodeInternal || !strings.Contains(err.Error(), "cannot be encoded") {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if st := conn.Stats(); released.Load() != 5 || st.StreamsTaken != 0 {
			t.Errorf("%d producers have returned, %d streams are open", released.Load(), st.StreamsTaken)
		}
		if _, err := NewSubjectClient(conn).Count(t.Context(), 3); err != nil {
			t.Errorf("a stream after them: %v", err)
		}
	})
}
