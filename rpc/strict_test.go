package rpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A strict server refuses parameters that a method does not have, by their names, and
// any other ignores them.
func TestStrictParams(t *testing.T) {
	type object = map[string]any
	for _, strict := range []bool{false, true} {
		conn := rpctest.Pair(t.Context(), t, server(&rpc.ServerOptions{StrictParams: strict}, services()...), nil)
		call := func(method string, params any) error {
			return conn.Call(context.Background(), &rpc.Call{Method: to(method), Params: params})
		}
		for _, fine := range []error{
			call("Test.Add", &object{"a": 1, "b": 2}),
			call("Test.Add", &object{"a": 1}),
			call("Test.Add", &[]int{1, 2}),
			call("Test.Nothing", nil),
			call("Test.Nothing", &object{}),
			call("Test.Nothing", &[]int{}),
		} {
			if fine != nil {
				t.Errorf("strict %v: %v", strict, fine)
			}
		}
		for want, err := range map[string]error{
			`unknown parameter "lotId"; there are a, b`:    call("Test.Add", &object{"a": 1, "lotId": 2}),
			`unknown parameter "A"; there are a, b`:        call("Test.Add", &object{"A": 1}),
			`unknown parameter "surprise"; there are none`: call("Test.Nothing", &object{"surprise": 1}),
		} {
			switch {
			case !strict && err != nil:
				t.Error(err)
			case strict && (!errors.Is(err, rpc.CodeInvalidParams) || !strings.HasSuffix(err.Error(), want) || !rpc.NotRun(err)):
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}
