package rpc_test

import (
	"context"
	"testing"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// The end of a call's last stream ends the call's context, which must not become
// what the stream ended with.
func TestStreamEndsWithoutError(t *testing.T) {
	one := rpc.Service{Name: "Test", Methods: []rpc.Method{{
		Name: "Test.One",
		New:  func() (any, any) { return nil, new(rpc.Stream) },
		Serve: func(_ context.Context, c *rpc.Call) error {
			*c.Result.(*rpc.Stream) = rpc.From(func(yield func(int, error) bool) { yield(1, nil) })
			return nil
		},
	}}}
	conn := rpctest.Connect(t, one)
	for range 2000 {
		var s rpc.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.One", Result: &s}); err != nil {
			t.Fatal(err)
		}
		for _, err := range rpc.To[int](s) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
