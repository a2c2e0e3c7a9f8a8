package rpc_test

import (
	"context"

	"github.com/wirecall/wirecall/rpc"
)

// method is a service of one method.
func method(name string, newValues func() (params, result any), serve rpc.Handler) rpc.Service {
	return rpc.Service{Name: "Test", Methods: []rpc.Method{{Name: name, New: newValues, Serve: serve}}}
}

// streamMethod is a service of one method whose result is a stream.
func streamMethod(name string, stream func(ctx context.Context) rpc.Stream) rpc.Service {
	return method(name, func() (any, any) { return nil, new(rpc.Stream) }, func(ctx context.Context, c *rpc.Call) error {
		*c.Result.(*rpc.Stream) = stream(ctx)
		return nil
	})
}

func server(opts *rpc.ServerOptions, services ...rpc.Service) *rpc.Server {
	srv := rpc.NewServer(opts)
	srv.Register(services...)
	return srv
}

type addParams struct{ A, B int }

func (p *addParams) Fields() []rpc.Field {
	return []rpc.Field{{Name: "a", Value: &p.A}, {Name: "b", Value: &p.B}}
}
