package rpc_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A mine panics wherever the runtime touches it.
type mine struct{ X int }

func (mine) MarshalJSON() ([]byte, error)  { panic("MarshalJSON") }
func (*mine) UnmarshalJSON(b []byte) error { panic("UnmarshalJSON") }
func (mine) Error() string                 { panic("Error") }
func (mine) ErrorCode() int                { return 7 }

// dataMine is an error whose data cannot be encoded without a panic.
var dataMine = rpc.Errorf(8, "eight").WithData(mine{})

// A panic of a user's code ends the call or the stream that it belongs to, and
// so does runtime.Goexit, which is what testing.T.FailNow calls.
func TestPanicEndsItsCallOnly(t *testing.T) {
	ok := func(context.Context, *rpc.Call) error { return nil }
	none := func() (any, any) { return nil, nil }
	ints := func() (any, any) { return nil, new(rpc.Stream) }
	stream := func(f func(yield func(int, error) bool)) rpc.Handler {
		return func(_ context.Context, c *rpc.Call) error {
			*c.Result.(*rpc.Stream) = rpc.From(f)
			return nil
		}
	}
	for name, m := range map[string]rpc.Method{
		"result":  {New: func() (any, any) { return nil, new(mine) }, Serve: ok},
		"params":  {New: func() (any, any) { return new(mine), nil }, Serve: ok},
		"new":     {New: func() (any, any) { panic("New") }, Serve: ok},
		"handler": {New: none, Serve: func(context.Context, *rpc.Call) error { panic("handler") }},
		"exit":    {New: none, Serve: func(context.Context, *rpc.Call) error { runtime.Goexit(); return nil }},
		"error":   {New: none, Serve: func(context.Context, *rpc.Call) error { return mine{} }},
		"data":    {New: none, Serve: func(context.Context, *rpc.Call) error { return dataMine }},
		"stream":  {New: ints, Serve: stream(func(func(int, error) bool) { panic("iterator") })},
		"goexit":  {New: ints, Serve: stream(func(func(int, error) bool) { runtime.Goexit() })},
		"yielded": {New: ints, Serve: stream(func(yield func(int, error) bool) { yield(0, mine{}) })},
		"item": {New: ints, Serve: func(_ context.Context, c *rpc.Call) error {
			*c.Result.(*rpc.Stream) = rpc.From(func(yield func(mine, error) bool) { yield(mine{}, nil) })
			return nil
		}},
		"unwanted": {New: ints, Serve: func(_ context.Context, c *rpc.Call) error {
			*c.Result.(*rpc.Stream) = rpc.From(func(func(int, error) bool) { runtime.Goexit() })
			return errors.New("no")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m.Name = "Test." + name
				conn := rpctest.Connect(t, rpc.Service{Methods: []rpc.Method{m}}, method("Test.Nop", nil, nop))
				for _, notify := range []bool{true, false} {
					call := &rpc.Call{Method: m.Name, Params: new(addParams), Notify: notify}
					var s rpc.Stream
					if _, result := safeNew(m); !notify && streamResult(result) {
						call.Result = &s
					}
					err := conn.Call(t.Context(), call)
					for _, e := range rpc.To[int](s) {
						err = e
					}
					if !notify && err == nil {
						t.Error("the call has succeeded")
					}
					synctest.Wait()
					if err := conn.Call(t.Context(), &rpc.Call{Method: "Test.Nop"}); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

func safeNew(m rpc.Method) (params, result any) {
	defer func() { recover() }()
	return m.New()
}

func streamResult(v any) bool { _, ok := v.(*rpc.Stream); return ok }

// A panic of the parameters' or the result's own code goes to the caller, and
// leaves nothing of the call behind.
func TestPanicOfCallerLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 1, Streams: 1}}, method("Test.Nop", func() (any, any) { return nil, new(int) }, nop))
		conn := rpctest.Pair(t, srv, nil)
		call := func(c *rpc.Call) (r any) {
			defer func() { r = recover() }()
			if err := conn.Call(t.Context(), c); err != nil {
				t.Error(err)
			}
			return nil
		}
		for range 3 {
			params := &mineParams{Nums: rpc.From(func(func(int, error) bool) {})}
			if call(&rpc.Call{Method: "Test.Nop", Params: params}) == nil || call(&rpc.Call{Method: "Test.Nop", Result: new(mine)}) == nil {
				t.Error("no panic")
			}
			ok := &sumParams{Nums: rpc.From(func(func(int, error) bool) {})}
			if r := call(&rpc.Call{Method: "Test.Nop", Params: ok}); r != nil {
				t.Error(r)
			}
			synctest.Wait()
		}
	})
}

type mineParams struct {
	Nums rpc.Stream
	Mine mine
}

func (p *mineParams) Fields() []rpc.Field {
	return []rpc.Field{{Name: "nums", Value: &p.Nums}, {Name: "mine", Value: &p.Mine}}
}
