package rpc_test

import (
	"context"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

// method is a service of one method.
func method(name string, newValues func() (params, result any), serve rpc.Handler) rpc.Service {
	m := &rpc.Method{Name: name, New: newValues, Serve: served(serve)}
	if newValues != nil {
		params, result := newValues()
		m.Params, m.Results = namesOf(params), namesOf(result)
	}
	return rpc.Service{Name: "Test", Methods: []*rpc.Method{m}}
}

// declaring is a service of the methods of others, which declare errors.
func declaring(errors []*rpc.ErrorType, services ...rpc.Service) rpc.Service {
	all := rpc.Service{Name: "Test"}
	for _, s := range services {
		for _, m := range s.Methods {
			m.Errors = errors
			all.Methods = append(all.Methods, m)
		}
	}
	return all
}

// served is what a Method has for a handler that needs no implementation.
func served(serve rpc.Handler) func(context.Context, any, *rpc.Call) error {
	return func(ctx context.Context, _ any, c *rpc.Call) error { return serve(ctx, c) }
}

// namesOf is the names of the fields that the params or the result of a test have.
func namesOf(v any) []string {
	if record, ok := v.(interface{ names() []string }); ok {
		return record.names()
	}
	return nil
}

// to is the method of that name, to be called with a struct that has the named fields.
func to(name string, params ...string) *rpc.Method {
	return &rpc.Method{Name: name, Params: params}
}

// streamMethod is a service of one method whose result is a stream.
func streamMethod(name string, stream func(ctx context.Context) gen1.Stream) rpc.Service {
	return method(name, func() (any, any) { return nil, new(gen1.Stream) }, func(ctx context.Context, c *rpc.Call) error {
		*c.Result.(*gen1.Stream) = stream(ctx)
		return nil
	})
}

func server(opts *rpc.ServerOptions, services ...rpc.Service) *rpc.Server {
	srv := rpc.NewServer(opts)
	srv.Register(services...)
	return srv
}

type addParams struct{ A, B int }

func (*addParams) names() []string   { return []string{"a", "b"} }
func (p *addParams) Field(i int) any { return [...]any{&p.A, &p.B}[i] }
