package rpc

import (
	"context"
	"slices"

	"github.com/wirecall/wirecall/internal/contract"
)

// A Caller makes calls. *Conn is one, and so is the result of Peer; a wrapper that adds
// behavior is another. Generated clients need nothing else.
type Caller interface {
	// Call makes the call c and waits for its answer, or until ctx ends. It stores the
	// result in what c.Result points to.
	Call(ctx context.Context, c *Call) error
}

// A Call is one call or notification, as interceptors on either side see it.
type Call struct {
	// Method is the method that is called. It is never nil. It is read-only, because
	// calls share it: an interceptor that changes it sets Method to a copy.
	Method *Method

	// Params holds the parameters: nil if there are none, a pointer to a generated
	// struct, whose fields Param returns, or any other value that encodes as an object or
	// an array.
	Params any

	// Result points to the variable for the result, or to a generated struct if there are
	// several results. It is nil if there is none. The variable is set to its zero value
	// before an answer is stored in it.
	Result any

	// Served is true on the side that serves the call and false on the side that makes
	// it.
	Served bool
}

// Param returns a pointer to the named parameter, such as a *string. It returns nil if
// the method has no such parameter or Params is not a generated struct. To change what
// it points to is to change the call. If the parameter is a stream, the type of the
// pointer is internal.
func (c *Call) Param(name string) any {
	record, ok := c.Params.(contract.Record)
	if i := slices.Index(c.Method.Params, name); ok && i >= 0 {
		return record.Field(i)
	}
	return nil
}

// A Handler serves a call, or makes it: it reads c.Params and stores the result in
// c.Result.
type Handler func(ctx context.Context, c *Call) error

// An Interceptor is wrapped around calls, on the side that makes them or on the side
// that serves them. It may inspect and change the call, refuse it by returning an
// error, or continue with next, also more than once: each answer replaces the one
// before. It sees calls, not the items of their streams: next returns when the call has
// been answered, and its streams may have just begun.
type Interceptor func(ctx context.Context, c *Call, next Handler) error

// A Method describes one method of a service. Generated code has a variable for each,
// which clients and servers share and which is read-only.
//
// To call a method without generated code, set its Name, and Notify for a notification:
//
//	err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "eth_chainId"}, Result: &id})
type Method struct {
	// Name is the name on the wire, such as "Room.Post".
	Name string

	// Service is the name of the service, such as "Room"; empty if unknown.
	Service string

	// Params are the names of the parameters on the wire. Results are the names of the
	// results, if there are several.
	Params, Results []string

	// ParamAliases are other names on the wire that parameters are accepted by, and the
	// names in Params that they stand for; ResultAliases are those of Results. A sender
	// uses none of them. To send two names of one value is an error.
	ParamAliases, ResultAliases map[string]string

	// Notify declares the method as a notification: it has no answer, and a call returns
	// when the message is on its way. A peer may send any method as a notification,
	// declared or not.
	Notify bool

	// Idempotent declares that the method is safe to repeat: a call is repeated if its
	// answer was lost.
	Idempotent bool

	// Unordered exempts the method from the order of its service: a notification delays
	// no call, and a call waits for no notification. See Async.
	Unordered bool

	// Cursor is the name of the parameter after whose value the stream continues, in
	// another call. It is empty if the method declares none. A stream of a method with a
	// cursor may end with ComeAgain at any time.
	Cursor string

	// Options are those of the wirecall:option directives, for interceptors and tools.
	Options []Option

	// Errors are those of the wirecall:error directives. The error of a call, and that of
	// each of its streams, is decoded by them.
	Errors []*ErrorType

	// Plain is how the method is called in plain mode, if it is not by the names of the
	// parameters. See Plain.
	Plain *Plain

	// New returns new values for a call's Params and Result. Either is nil if the method
	// has none. A nil New returns two nils.
	New func() (params, result any)

	// Serve calls the method of impl, which is Service.Impl.
	Serve func(ctx context.Context, impl any, c *Call) error
}

// Option returns the value of the option with the given key, or "" if there is none.
func (m *Method) Option(key string) string {
	for _, o := range m.Options {
		if o.Key == key {
			return o.Value
		}
	}
	return ""
}

// An Option is a property of a method for interceptors and tools. A tool begins its
// keys with its name and a dot, such as mcp.tool.
type Option struct{ Key, Value string }

// A Service is an implementation and its methods that a peer may call.
type Service struct {
	Name    string
	Impl    any // the implementation, which Method.Serve is called with
	Methods []*Method

	// Description is a part of an OpenRPC document: an object with the methods, and with
	// the components that these refer to. The generator writes it. The server reads it only
	// with ServerOptions.Describe.
	Description string
}
