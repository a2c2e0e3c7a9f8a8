package rpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// texts streams texts of the given sizes.
func texts(sizes ...int) rpc.Service {
	return streamMethod("Test.Texts", func(context.Context) gen1.Stream {
		return gen1.Send(func(yield func(string, error) bool) {
			for _, n := range sizes {
				if !yield(strings.Repeat("x", n), nil) {
					return
				}
			}
		})
	})
}

// Whatever the sizes of a stream's items and of its window, the credit that the
// reader gives is enough for the producer to go on.
func TestCreditNeverRunsDry(t *testing.T) {
	many := make([]int, 300)
	for i := range many {
		many[i] = 10
	}
	for i, test := range []struct {
		limits rpc.Limits
		sizes  []int
	}{
		{rpc.Limits{}, []int{10, 65_530, 10, 65_530, 10}},
		{rpc.Limits{}, []int{32_000, 40_000, 20_000, 50_000, 200_000, 1}},
		{rpc.Limits{}, []int{40_000, 30_000, 100, 65_000, 65_000, 100_000}},
		{rpc.Limits{WindowItems: 1000}, many},
		{rpc.Limits{WindowItems: 3}, many},
		{rpc.Limits{WindowBytes: 1 << 20}, []int{30_000, 30_000, 30_000, 60_000, 500_000, 600_000}},
		{rpc.Limits{WindowBytes: 100}, many},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := rpctest.Pair(t.Context(), t, server(nil, texts(test.sizes...)), &rpc.ConnOptions{Limits: test.limits})
				var s gen1.Stream
				if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Texts"), Result: &s}); err != nil {
					t.Fatal(err)
				}
				n := 0
				go func() {
					for text, err := range gen1.Receive[string](s) {
						if err != nil || len(text) != test.sizes[n] {
							t.Errorf("item %d: %d bytes, %v; want %d", n, len(text), err, test.sizes[n])
						}
						n++
					}
				}()
				synctest.Wait()
				if n != len(test.sizes) {
					t.Errorf("the stream stands still after %d of %d items", n, len(test.sizes))
				}
			})
		})
	}
}
