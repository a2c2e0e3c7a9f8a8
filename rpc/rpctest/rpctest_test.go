package rpctest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// slow is a service with one method, which takes an hour.
var slow = rpc.Service{Methods: []*rpc.Method{{
	Name: "Slow.Work",
	Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
		select {
		case <-time.After(time.Hour):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	},
}}}

// In a bubble hours pass at once, also between two ends of a connection.
func TestConnectInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, start := rpctest.Connect(t.Context(), t, slow), time.Now()
		if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Slow.Work"}}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != time.Hour {
			t.Errorf("it took %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Slow.Work"}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a minute's deadline: %v", err)
		}
	})
}

// Two clients of one server.
func TestPair(t *testing.T) {
	srv := rpc.NewServer(nil)
	srv.Register(rpc.Service{Methods: []*rpc.Method{{Name: "Nop", Serve: func(context.Context, any, *rpc.Call) error { return nil }}}})
	for range 2 {
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Nop"}}); err != nil {
			t.Error(err)
		}
	}
}
