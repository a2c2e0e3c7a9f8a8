package rpc_test

import (
	"context"
	"iter"
	"maps"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// twice is an interceptor that makes each call a second time.
func twice(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
	if err := next(ctx, c); err != nil {
		return err
	}
	return next(ctx, c)
}

type pairResult struct {
	A map[string]int
	B string
}

func (*pairResult) names() []string   { return []string{"a", "b"} }
func (r *pairResult) Field(i int) any { return [...]any{&r.A, &r.B}[i] }

// An interceptor that makes a call again gets the second answer, and nothing of
// the first, whichever side it is on.
func TestAnswersAreNotMerged(t *testing.T) {
	type options struct{ call, serve []rpc.Interceptor }
	for where, o := range map[string]options{
		"caller": {call: []rpc.Interceptor{twice}},
		"callee": {serve: []rpc.Interceptor{twice}},
	} {
		t.Run(where, func(t *testing.T) {
			n := 0
			srv := server(&rpc.ServerOptions{ServeInterceptors: o.serve},
				method("Test.One", func() (any, any) { return nil, new(map[string]int) }, func(_ context.Context, c *rpc.Call) error {
					n++
					m := c.Result.(*map[string]int)
					if *m == nil {
						*m = map[string]int{}
					}
					(*m)[string(rune('a'+n))] = n
					return nil
				}),
				method("Test.Several", func() (any, any) { return nil, new(pairResult) }, func(_ context.Context, c *rpc.Call) error {
					r := c.Result.(*pairResult)
					if n++; n%2 == 1 {
						r.A, r.B = map[string]int{"first": n}, "first"
					} else if r.A != nil || r.B != "" {
						r.B = "not empty"
					}
					return nil
				}))
			conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{CallInterceptors: o.call})
			var one map[string]int
			if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.One"), Result: &one}); err != nil || !maps.Equal(one, map[string]int{"c": 2}) {
				t.Errorf("got %v, %v", one, err)
			}
			var several pairResult
			if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Several", Results: several.names()}, Result: &several}); err != nil || several.A != nil || several.B != "" {
				t.Errorf("got %+v, %v", several, err)
			}
		})
	}
}

// A variable that is used for one call after the other holds the last answer.
func TestResultsAreReplaced(t *testing.T) {
	n := 0
	conn := rpctest.Connect(t.Context(), t, method("Test.Next", func() (any, any) { return nil, new(map[string]int) }, func(_ context.Context, c *rpc.Call) error {
		if n++; n < 3 {
			*c.Result.(*map[string]int) = map[string]int{string(rune('a' + n)): n}
		}
		return nil
	}))
	var got map[string]int
	for _, want := range []map[string]int{{"b": 1}, {"c": 2}, nil} {
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Next"), Result: &got}); err != nil || !maps.Equal(got, want) {
			t.Errorf("got %v, want %v; %v", got, want, err)
		}
	}
}

// The producer of a stream whose call was served again cleans up, as that of any
// stream which nobody reads.
func TestStreamOfTheFirstAnswerIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, released := 0, make(chan int, 2)
		srv := server(&rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{twice}}, streamMethod("Test.Stream", func(context.Context) gen1.Stream {
			begun++
			n := begun
			var seq iter.Seq2[int, error] = func(yield func(int, error) bool) {
				defer func() { released <- n }()
				yield(n, nil)
			}
			return gen1.Send(seq)
		}))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Stream"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		if got, err := collect(gen1.Receive[int](s)); len(got) != 1 || got[0] != 2 || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
		if sum := <-released + <-released; sum != 3 {
			t.Errorf("the streams released make %d", sum)
		}
	})
}
