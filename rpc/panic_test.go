package rpc_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
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
	ok := func(context.Context, any, *rpc.Call) error { return nil }
	none := func() (any, any) { return nil, nil }
	ints := func() (any, any) { return nil, new(gen1.Stream) }
	stream := func(f func(yield func(int, error) bool)) func(context.Context, any, *rpc.Call) error {
		return func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*gen1.Stream) = gen1.Send(f)
			return nil
		}
	}
	for name, m := range map[string]*rpc.Method{
		"result":  {New: func() (any, any) { return nil, new(mine) }, Serve: ok},
		"params":  {New: func() (any, any) { return new(mine), nil }, Serve: ok},
		"new":     {New: func() (any, any) { panic("New") }, Serve: ok},
		"handler": {New: none, Serve: func(context.Context, any, *rpc.Call) error { panic("handler") }},
		"exit":    {New: none, Serve: func(context.Context, any, *rpc.Call) error { runtime.Goexit(); return nil }},
		"error":   {New: none, Serve: func(context.Context, any, *rpc.Call) error { return mine{} }},
		"data":    {New: none, Serve: func(context.Context, any, *rpc.Call) error { return dataMine }},
		"stream":  {New: ints, Serve: stream(func(func(int, error) bool) { panic("iterator") })},
		"goexit":  {New: ints, Serve: stream(func(func(int, error) bool) { runtime.Goexit() })},
		"yielded": {New: ints, Serve: stream(func(yield func(int, error) bool) { yield(0, mine{}) })},
		"item": {New: ints, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*gen1.Stream) = gen1.Send(func(yield func(mine, error) bool) { yield(mine{}, nil) })
			return nil
		}},
		"unwanted": {New: ints, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*gen1.Stream) = gen1.Send(func(func(int, error) bool) { runtime.Goexit() })
			return errors.New("no")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m.Name = "Test." + name
				conn := rpctest.Connect(t.Context(), t, rpc.Service{Methods: []*rpc.Method{m}}, method("Test.Nop", nil, nop))
				for _, notify := range []bool{true, false} {
					call := &rpc.Call{Method: &rpc.Method{Name: m.Name, Params: []string{"a", "b"}, Notify: notify}, Params: new(addParams)}
					var s gen1.Stream
					if _, result := safeNew(m); !notify && streamResult(result) {
						call.Result = &s
					}
					err := conn.Call(t.Context(), call)
					for _, e := range gen1.Receive[int](s) {
						err = e
					}
					if !notify && err == nil {
						t.Error("the call has succeeded")
					}
					synctest.Wait()
					if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Nop")}); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

func safeNew(m *rpc.Method) (params, result any) {
	defer func() { recover() }()
	return m.New()
}

func streamResult(v any) bool { _, ok := v.(*gen1.Stream); return ok }

// A panic of the parameters' or the result's own code goes to the caller, and
// leaves nothing of the call behind.
func TestPanicOfCallerLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 1, Streams: 1}}, method("Test.Nop", func() (any, any) { return nil, new(int) }, nop))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		call := func(c *rpc.Call) (r any) {
			defer func() { r = recover() }()
			if err := conn.Call(t.Context(), c); err != nil {
				t.Error(err)
			}
			return nil
		}
		for range 3 {
			params := &mineParams{Nums: gen1.Send(func(func(int, error) bool) {})}
			if call(&rpc.Call{Method: to("Test.Nop", params.names()...), Params: params}) == nil || call(&rpc.Call{Method: to("Test.Nop"), Result: new(mine)}) == nil {
				t.Error("no panic")
			}
			ok := &sumParams{Nums: gen1.Send(func(func(int, error) bool) {})}
			if r := call(&rpc.Call{Method: to("Test.Nop", ok.names()...), Params: ok}); r != nil {
				t.Error(r)
			}
			synctest.Wait()
		}
	})
}

type mineParams struct {
	Nums gen1.Stream
	Mine mine
}

func (*mineParams) names() []string   { return []string{"nums", "mine"} }
func (p *mineParams) Field(i int) any { return [...]any{&p.Nums, &p.Mine}[i] }
