package rpc_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// What was received of a stream that its reader does not take is given up when
// the caller's context ends, also where the stream's end has come already.
func TestUnreadStreamIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := rpctest.Pair(t.Context(), t, server(nil, texts(1000, 1000, 1000)), &rpc.ConnOptions{Limits: rpc.Limits{BufferedBytes: 10_000}})
		for i := range 10 {
			ctx, cancel := context.WithCancelCause(t.Context())
			var s gen1.Stream
			if err := conn.Call(ctx, &rpc.Call{Method: to("Test.Texts"), Result: &s}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // until all of it has come
			cause := errors.New("enough")
			cancel(cause)
			synctest.Wait()
			if i%2 == 0 {
				continue // never ranged over
			}
			for text, err := range gen1.Receive[string](s) {
				if !errors.Is(err, cause) {
					t.Fatalf("round %d: %d bytes, %v; want the cause of the context's end", i, len(text), err)
				}
			}
		}
	})
}

// A stream that the program has lost is given up when the garbage collector has
// found it.
func TestLostStreamIsGivenUp(t *testing.T) {
	for name, sizes := range map[string][]int{"ended": {1000}, "open": make([]int, 1000)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := rpctest.Pair(t.Context(), t, server(nil, texts(sizes...)), &rpc.ConnOptions{Limits: rpc.Limits{BufferedBytes: 1200}})
				for range 3 {
					if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Texts"), Result: new(gen1.Stream)}); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					for range 3 {
						runtime.GC()
						time.Sleep(time.Minute) // housekeeping
					}
				}
				var s gen1.Stream
				if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Texts"), Result: &s}); err != nil {
					t.Fatal(err)
				}
				for _, err := range gen1.Receive[string](s) {
					if err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// The bytes of items that are not read are given back, however large the items are, and
// whether the stream is left or its context ends.
func TestBytesOfUnreadItemsAreGivenBack(t *testing.T) {
	for name, size := range map[string]int{"small": 100, "large": 20_000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := rpctest.Pair(t.Context(), t, server(nil, texts(size, size, size)), nil)
				for _, left := range []bool{false, true} {
					ctx, cancel := context.WithCancel(t.Context())
					var s gen1.Stream
					if err := conn.Call(ctx, &rpc.Call{Method: to("Test.Texts"), Result: &s}); err != nil {
						t.Fatal(err)
					}
					synctest.Wait() // until all of it has come
					if left {
						for range gen1.Receive[string](s) {
							break
						}
					}
					cancel()
					synctest.Wait()
					if st := conn.Stats(); st != (rpc.Stats{}) {
						t.Errorf("left %v: the connection holds %+v", left, st)
					}
				}
			})
		})
	}
}
