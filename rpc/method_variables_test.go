package rpc_test

import (
	"context"
	"testing"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// TestInterceptorsSeeTheMethod checks what an interceptor of either side is told of a
// call: the method's variable, which both share, the side, and the parameters by name.
func TestInterceptorsSeeTheMethod(t *testing.T) {
	add := &rpc.Method{Name: "Sums.Add", Service: "Sums", Params: []string{"a", "b"}, Idempotent: true,
		New: func() (any, any) { return new(addParams), new(int) },
		Serve: func(_ context.Context, impl any, c *rpc.Call) error {
			p := c.Params.(*addParams)
			*c.Result.(*int) = impl.(int) + p.A + p.B
			return nil
		}}
	seen := map[bool]*rpc.Call{}
	double := func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
		seen[c.Served] = c
		b, ok := c.Param("b").(*int)
		if !ok || c.Param("c") != nil {
			t.Errorf("served: %t, b is %v, c is %v", c.Served, b, c.Param("c"))
			return nil
		}
		*b *= 2
		return next(ctx, c)
	}
	srv := server(&rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{double}},
		rpc.Service{Name: "Sums", Impl: 100, Methods: []*rpc.Method{add}})
	conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{CallInterceptors: []rpc.Interceptor{double}})
	var sum int
	err := conn.Call(t.Context(), &rpc.Call{Method: add, Params: &addParams{1, 10}, Result: &sum})
	if err != nil || sum != 141 {
		t.Errorf("%d, %v; want 141: the implementation's 100, 1, and 10 doubled by each side", sum, err)
	}
	if len(seen) != 2 || seen[false].Method != add || seen[true].Method != add {
		t.Errorf("the interceptors saw %v", seen)
	}
}

// TestCallWithoutGeneratedCode checks that a name is enough to make a call, with
// values of any type, which Param does not find.
func TestCallWithoutGeneratedCode(t *testing.T) {
	conn := rpctest.Connect(t.Context(), t, method("Sums.Add", func() (any, any) { return new(addParams), new(int) },
		func(_ context.Context, c *rpc.Call) error {
			p := c.Params.(*addParams)
			*c.Result.(*int) = p.A + p.B
			return nil
		}))
	for name, params := range map[string]any{"an array": []int{1, 2}, "an object": map[string]int{"a": 1, "b": 2}} {
		var sum int
		call := &rpc.Call{Method: to("Sums.Add"), Params: params, Result: &sum}
		if err := conn.Call(t.Context(), call); err != nil || sum != 3 || call.Param("a") != nil {
			t.Errorf("%s: %d, %v", name, sum, err)
		}
	}
	// A struct with fields but a method without names would cross as an empty object.
	call := &rpc.Call{Method: to("Sums.Add"), Params: &addParams{1, 2}, Result: new(int)}
	if err := conn.Call(t.Context(), call); rpc.CodeOf(err) != rpc.CodeInvalidParams || !rpc.NotRun(err) {
		t.Errorf("without names: %v", err)
	}
}
