// Package passthrough makes a call that arrives over one connection again over another,
// with its values as they are encoded, so that the program between need not know the
// method.
//
// The side that calls has the generated Call, and so knows the shape of the method: which
// values there are and which of them are streams. [To] puts that, and who is called, into
// the name of the method. [Serve] makes a method of such a name. Values pass it as they
// are, so both connections must have the same codec; streams pass item by item, each
// with the credit of its own connection, so that a reader that stops also stops the
// producer.
package passthrough

import (
	"context"
	"strings"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/rpc"
)

// To returns a Caller whose calls go over link to a server that passes them on to a
// target. A notification crosses the link as a call, which is answered when the
// notification is on its way to the target, or cannot be sent.
func To(link rpc.Caller, target string) rpc.Caller { return &caller{link, target} }

type caller struct {
	link   rpc.Caller
	target string
}

// Call implements rpc.Caller.
func (c *caller) Call(ctx context.Context, call *rpc.Call) error {
	m := *call.Method
	m.Name, m.Notify, m.Unordered, m.Plain = nameOf(c.target, call), false, true, nil
	passed := *call
	passed.Method = &m
	err := c.link.Call(ctx, &passed)
	call.Result = passed.Result
	return renamed(err, m.Name, call.Method.Name)
}

// renamed returns err with the name of the method in place of that on the link.
func renamed(err error, link, method string) error {
	e, ok := err.(*rpc.Error)
	if !ok || !strings.Contains(e.Message, link) {
		return err
	}
	own := *e
	own.Message = strings.ReplaceAll(e.Message, link, method)
	return &own
}

// A Find returns the connection that a target stands for. Its error is that of the call.
type Find func(ctx context.Context, target string) (Conn, error)

// A Conn is an *rpc.Conn, or a Caller around one.
type Conn interface {
	rpc.Caller
	Codec() codec.Codec
	Err() error
}

// Serve makes srv pass on the calls of To.
func Serve(srv *rpc.Server, find Find) {
	shapes := new(cache)
	contract.Unregistered(srv, func(name string) any {
		if target, s := shapes.parse(name); s != nil {
			return s.served(target, find)
		}
		return nil
	})
}

// served returns the method that passes calls of a shape on. Its calls are in no order: To
// waits until a notification is on its way.
func (s *shape) served(target string, find Find) *rpc.Method {
	return &rpc.Method{
		Name: s.method.Name, Service: s.method.Service, Cursor: s.method.Cursor, Unordered: true,
		Params: s.method.Params, Results: s.method.Results, ResultAliases: s.method.ResultAliases,
		New: func() (params, result any) { return s.params.new(), s.results.new() },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			conn, err := find(ctx, target)
			if err == nil {
				err = s.pass(ctx, conn, c)
			}
			if err != nil {
				return contract.PassedOn(err)
			}
			return nil
		},
	}
}

// pass makes a call that has arrived again over conn.
func (s *shape) pass(ctx context.Context, conn Conn, c *rpc.Call) error {
	if link, ok := rpc.ConnFromContext(ctx); !ok || link.Codec().Format() != conn.Codec().Format() {
		return contract.NotRun(int(rpc.CodeInternal), "the codec of the connection is not that of the link")
	}
	for _, st := range streams(c.Params, s.method.Params) {
		*st = again(*st, nil)
	}
	if whole, ok := c.Params.(*value); ok && *whole == nil {
		c.Params = nil
	}
	answer := make(map[string]string)
	out := rpc.ResponseMetadata(ctx, answer)
	if sent := rpc.Metadata(ctx); sent != nil {
		out = rpc.WithMetadata(out, sent)
	}
	err := conn.Call(out, &rpc.Call{Method: &s.method, Params: c.Params, Result: c.Result})
	for key, v := range answer {
		rpc.SetMetadata(ctx, key, v)
	}
	if err != nil {
		return err
	}
	for _, st := range streams(c.Result, s.method.Results) {
		*st = again(*st, s.continues(conn))
	}
	return nil
}

// continues returns a function of the error that a stream of conn ended with. If its
// method has a cursor and conn has ended, the caller is asked to make the call again,
// which finds the target where it is by then.
func (s *shape) continues(conn Conn) func(error) error {
	if s.method.Cursor == "" {
		return nil
	}
	return func(err error) error {
		if conn.Err() != nil {
			return rpc.ComeAgain(0)
		}
		return err
	}
}

// again returns a stream of the items of st. end, if not nil, is called with the error
// that st ends with, and returns that of the new stream.
func again(st contract.Stream, end func(error) error) contract.Stream {
	if st.Remote == nil {
		return st
	}
	return contract.Stream{Local: func(emit func(any) bool) (err error) {
		var item value // shared by all items, to save allocations
		var failed error
		err = st.Remote.Each(func(encoded contract.Item) bool {
			failed = encoded.Decode(&item)
			return failed == nil && emit(&item)
		})
		switch {
		case failed != nil:
			return failed
		case err != nil && end != nil:
			return end(err)
		}
		return err
	}}
}

// streams returns the streams of a Params or a Result whose fields have names.
func streams(v any, names []string) (all []*contract.Stream) {
	switch v := v.(type) {
	case *contract.Stream:
		return []*contract.Stream{v}
	case contract.Record:
		for i := range names {
			if st, ok := v.Field(i).(*contract.Stream); ok {
				all = append(all, st)
			}
		}
	}
	return all
}

// Sends reports whether there are streams among the parameters of a call.
func Sends(call *rpc.Call) bool { return len(streams(call.Params, call.Method.Params)) > 0 }

// Failed returns err, the error of a call. If it is not nil, it makes the streams of the
// result yield it, so that code which checks only them finds it.
func Failed(call *rpc.Call, err error) error {
	if err != nil {
		for _, st := range streams(call.Result, call.Method.Results) {
			*st = contract.Stream{Err: err}
		}
	}
	return err
}
