package rpc

import (
	"context"
	"slices"

	"github.com/wirecall/wirecall/internal/contract"
)

// A Caller makes calls. *Conn is one, and so is what Peer returns; a wrapper
// that adds behavior is another. Generated clients need nothing else.
type Caller interface {
	// Call makes the call c and waits for its answer, or until ctx ends. The
	// result is stored in what c.Result points to.
	Call(ctx context.Context, c *Call) error
}

// A Call is one call or notification, as interceptors on either end see it.
type Call struct {
	// Method is the method that is called. It is never nil, and read-only: other
	// calls share it. An interceptor that needs another one sets a copy.
	Method *Method

	// Params holds the parameters: nil where there are none, otherwise a
	// pointer to a generated struct, whose fields Param finds, or any other value
	// that is encoded as an object or an array.
	Params any

	// Result is where the result goes: nil where there is none, and otherwise a
	// pointer to the value, or to a generated struct for several results. It is
	// made zero before an answer is stored in it.
	Result any

	// Served says that this side serves the call. The other side makes it.
	Served bool
}

// Param returns a pointer to the parameter of that name, such as a *string, or nil if
// the method has none or Params is no generated struct. Whoever changes what it points
// to changes the call. Of a parameter that is a stream the type is of no use.
func (c *Call) Param(name string) any {
	record, ok := c.Params.(contract.Record)
	if i := slices.Index(c.Method.Params, name); ok && i >= 0 {
		return record.Field(i)
	}
	return nil
}

// A Handler serves a call, or makes it: it reads c.Params and fills c.Result.
type Handler func(ctx context.Context, c *Call) error

// An Interceptor is wrapped around calls, on the side that makes them or on
// the side that serves them. It may look at and change the call, refuse it by
// returning an error, or go on with next, also more than once: each answer takes
// the place of the one before. It sees calls, not the items of their
// streams: next returns when the call has been answered, while its streams may
// have just begun.
type Interceptor func(ctx context.Context, c *Call, next Handler) error

// A Method describes one method of a service. Generated code has a variable for
// each, which clients and servers share: it is read-only.
//
// To call a method for which nothing is generated, its name is enough, and for a
// notification Notify:
//
//	err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "eth_chainId"}, Result: &id})
type Method struct {
	// Name is the name on the wire, such as "Room.Post".
	Name string

	// Service is the name of the service, such as "Room"; empty if unknown.
	Service string

	// Params are the names of the parameters on the wire. Results are those of the
	// results where there are several.
	Params, Results []string

	// Notify says that it is declared as a notification: nobody answers, and a call
	// returns when the message is on its way. A peer may send as a notification what is
	// not declared as one.
	Notify bool

	Idempotent bool // declared as safe to repeat, so that a call is made again where its answer was lost

	// Unordered takes the method out of the order of its service: a notification
	// holds no call up, a call waits for no notification. See Async.
	Unordered bool

	// Cursor is the parameter after whose value the stream continues, in another
	// call; empty where the method declares none. Its stream may end with ComeAgain
	// at any time.
	Cursor string

	// Options are what the directives wirecall:option say, for interceptors and tools.
	Options []Option

	// Errors are those that the directives wirecall:error declare: a call's error, and
	// those that its streams end with, are told apart by them.
	Errors []*ErrorType

	// New returns fresh values for a call's Params and Result; either may be
	// nil where the method has none. A nil New is one that returns two nils.
	New func() (params, result any)

	// Serve runs the implementation, which the Service has.
	Serve func(ctx context.Context, impl any, c *Call) error
}

// Option returns the value of the option with that key, or "" where there is none.
func (m *Method) Option(key string) string {
	for _, o := range m.Options {
		if o.Key == key {
			return o.Value
		}
	}
	return ""
}

// An Option is something that interceptors and tools need to know of a method. Tools
// put their name and a point before their keys, such as mcp.tool.
type Option struct{ Key, Value string }

// A Service is an implementation with the methods that the wire may call.
type Service struct {
	Name    string
	Impl    any // what the methods are served by
	Methods []*Method
}
