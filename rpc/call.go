package rpc

import "context"

// Generated1 is the compile-time handshake with generated code: what the
// generator writes refers to the version of this package's contract that it
// was made for, so that a mismatch is a compiler error in one readable line
// and not a surprise at run time.
const Generated1 = true

// A Caller makes calls. *Conn is one, and so is what Peer returns; a wrapper
// that adds behavior is another. Generated clients need nothing else.
type Caller interface {
	// Call makes the call c and waits for its answer, or until ctx ends. The
	// result is stored in what c.Result points to.
	Call(ctx context.Context, c *Call) error
}

// A Call is one call or notification, as interceptors on either end see it.
type Call struct {
	// Method is the method's name on the wire, such as "Room.Post".
	Method string

	// Params holds the parameters: nil where there are none, otherwise a
	// pointer to a generated struct that implements Fields.
	Params any

	// Result is where the result goes: nil where there is none; a pointer to
	// the value, or a *Stream, for a single result; a pointer to a generated
	// struct that implements Fields for several. It is made zero before an answer
	// is stored in it.
	Result any

	// Notify makes it a notification: nobody answers, and Call returns when the
	// message is on its way.
	Notify bool

	// Idempotent says that making the call twice does no more than making it
	// once, so that it may be repeated when its answer was lost.
	Idempotent bool
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

// A Method is one method of a Service. Generated code writes it as a literal.
type Method struct {
	// Name is the name on the wire.
	Name string

	// New returns fresh values for a call's Params and Result; either may be
	// nil where the method has none.
	New func() (params, result any)

	// Serve runs the user's implementation.
	Serve Handler

	Notify     bool // declared as a notification
	Idempotent bool // declared as safe to repeat, or to resume
	Cursor     bool // declared to resume: its stream may end with ComeAgain at any time

	// Unordered takes the method out of the order of its service: a notification
	// holds no call up, a call waits for no notification. See Async.
	Unordered bool

	service *registration // nil before it is registered
}

// A Service is an implementation with the methods that the wire may call.
type Service struct {
	Name    string
	Methods []Method
}

// Fields is what generated parameter and result structs implement. The runtime
// encodes and decodes them field by field, so that names on the wire match
// exactly (encoding/json would fold their case), parameters may also come by
// position, and streams are found without reflection.
type Fields interface {
	// Fields returns the fields in the order of the declaration.
	Fields() []Field
}

// A Field is one parameter, or one of several results.
type Field struct {
	Name  string // on the wire
	Value any    // a pointer; *Stream for a stream
}
