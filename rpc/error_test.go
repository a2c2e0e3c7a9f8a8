package rpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A slowError waits to be decoded.
type slowError struct{}

var slowErrorGo chan func() // of the bubble

func (*slowError) Error() string                { return "slow" }
func (*slowError) ErrorCode() int               { return 4711 }
func (*slowError) UnmarshalJSON([]byte) error   { (<-slowErrorGo)(); return nil }
func (*slowError) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }

func init() { rpc.RegisterError[*slowError]() }

// A registered error is decoded by whoever gets it, and holds up nobody else.
func TestRegisteredErrorIsDecodedByItsReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slowErrorGo = make(chan func())
		conn := rpctest.Connect(t, method("Test.Nop", nil, nop),
			method("Test.Slow", nil, func(context.Context, *rpc.Call) error { return new(slowError) }),
			streamMethod("Test.Stream", func(context.Context) rpc.Stream {
				return rpc.From(func(yield func(int, error) bool) { yield(0, new(slowError)) })
			}))
		var s rpc.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.Stream", Result: &s}); err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 2)
		go func() { got <- conn.Call(t.Context(), &rpc.Call{Method: "Test.Slow"}) }()
		go func() {
			for _, err := range rpc.To[int](s) {
				got <- err
			}
		}()
		for range 2 {
			synctest.Wait()
			go func() {
				slowErrorGo <- func() {
					if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.Nop"}); err != nil {
						t.Error(err)
					}
				}
			}()
			if err := <-got; !is[*slowError](err) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func is[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }
