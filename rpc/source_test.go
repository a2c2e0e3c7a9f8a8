package rpc_test

import (
	"context"
	"iter"
	"testing"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// The end of a call's last stream ends the call's context, which must not become
// what the stream ended with.
func TestStreamEndsWithoutError(t *testing.T) {
	one := rpc.Service{Name: "Test", Methods: []*rpc.Method{{
		Name: "Test.One",
		New:  func() (any, any) { return nil, new(gen1.Stream) },
		Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*gen1.Stream) = gen1.Send(func(yield func(int, error) bool) { yield(1, nil) })
			return nil
		},
	}}}
	conn := rpctest.Connect(t.Context(), t, one)
	for range 2000 {
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.One"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		for _, err := range gen1.Receive[int](s) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// untilDone is a service whose methods go by their context alone, as much code
// does: it returns in silence where that has ended.
func untilDone(uploads chan<- error) rpc.Service {
	return rpc.Service{Name: "Test", Methods: []*rpc.Method{{
		Name: "Test.Forever",
		New:  func() (any, any) { return nil, new(gen1.Stream) },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*gen1.Stream) = gen1.Send(until(ctx, func() {}))
			return nil
		},
	}, {
		Name: "Test.Sum", Params: []string{"nums"},
		New: func() (any, any) { return new(sumParams), new(int) },
		Serve: func(_ context.Context, _ any, c *rpc.Call) (err error) {
			for _, err = range gen1.Receive[int](c.Params.(*sumParams).Nums) {
			}
			uploads <- err
			return err
		},
	}}}
}

func until(ctx context.Context, begun func()) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		begun()
		if yield(1, nil) {
			<-ctx.Done()
		}
	}
}

// A producer that returns because its context has ended has not come to the end
// of what it had to say.
func TestStreamCutIsNoEnd(t *testing.T) {
	uploads := make(chan error, 1)
	for range 100 {
		srv := rpc.NewServer(nil)
		srv.Register(untilDone(uploads))

		conn := rpctest.Pair(t.Context(), t, srv, nil)
		ctx, cancel := context.WithCancel(t.Context())
		begun := make(chan struct{})
		nums := until(ctx, func() { close(begun) })
		go conn.Call(ctx, &rpc.Call{Method: to("Test.Sum", "nums"), Params: &sumParams{gen1.Send(nums)}, Result: new(int)})
		<-begun
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Forever"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-uploads; err == nil {
			t.Fatal("an upload that was canceled arrived as a complete one")
		}
		var end error
		for n, err := range gen1.Receive[int](s) {
			if n == 1 {
				go srv.Close()
			}
			end = err
		}
		if end == nil {
			t.Fatal("a stream that was cut arrived as a complete one")
		}
	}
}

type sumParams struct{ Nums gen1.Stream }

func (*sumParams) names() []string { return []string{"nums"} }
func (p *sumParams) Field(int) any { return &p.Nums }
