// Package contract holds the types that package rpc shares with the packages that
// generated code calls. Those packages, such as rpc/gen1, export them under the names
// that generated code uses. Package contract imports neither.
package contract

import (
	"context"
	"unsafe"
)

// A Record is a generated struct with the parameters of a method, or with its results
// if there are several. Method.Params and Method.Results have the names of its fields.
type Record interface {
	// Field returns a pointer to the i-th field, which is a *Stream for a stream.
	Field(i int) any
}

// A Stream is an iter.Seq2[T, error] without its type, between generated code and the
// wire. At most one of Local, Remote and Err is set. The zero Stream is a nil iterator,
// which is received as an empty stream.
type Stream struct {
	Local  Producer // for a stream that this process produces
	Remote Receiver // for a stream that the peer produces
	Err    error    // the error of a call that failed instead of returning the stream

	Iterator unsafe.Pointer // the Identity of what Local runs
}

// A Producer runs the user's iterator and calls emit with a pointer to each item, until
// emit returns false. It returns the error that the iterator yielded. The pointer's
// target changes after emit has returned.
type Producer func(emit func(item any) bool) error

// A Receiver is a stream that the peer produces. Each is as in Stream, and may be
// called once.
type Receiver interface {
	Each(f func(Item) bool) error
}

// An Item is an item of a stream, not yet decoded. It is valid until the function that
// it was passed to returns.
type Item interface {
	Decode(v any) error
}

// Each calls f with every item until f returns false. It returns the error that ended
// the stream, or nil if the stream was complete or f returned false.
func (s Stream) Each(f func(Item) bool) error {
	switch {
	case s.Err != nil:
		return s.Err
	case s.Remote != nil:
		return s.Remote.Each(f)
	case s.Local != nil: // client and service run in one process
		stopped := false
		err := s.Local(func(item any) bool {
			stopped = !f(localItem{item})
			return !stopped
		})
		if stopped {
			return nil
		}
		return err
	}
	return nil
}

// A Cursor is a call whose stream is continued by further calls. See gen1.Cursor.
type Cursor interface {
	// Begin returns an error if it has been called before.
	Begin() error

	// Stream returns the stream of the latest call.
	Stream() Stream

	// Continue makes the call again until there is a stream, if the stream so far ended
	// in a way that permits it; then it returns nil. end is the error of that stream, and
	// moved reports whether it yielded an item. Otherwise Continue returns the error that
	// the range ends with.
	Continue(end error, moved bool) error
}

// NewCursor returns the Cursor of a call that has been made. caller is an rpc.Caller,
// call an *rpc.Call. Package rpc sets it in its init function.
var NewCursor func(ctx context.Context, caller, call any) Cursor

// InFlight returns what is in flight on a connection, an *rpc.Conn, in words: calls, streams
// and notifications by their methods. It is "" if nothing is. Package rpc sets it in its
// init function.
var InFlight func(conn any) string

// The functions below are for package internal/passthrough and the module cluster. Package
// rpc sets them in an init function.

// Unregistered sets what a server, an *rpc.Server, serves by names that are not
// registered: f returns an *rpc.Method, or nil. It is called by readers and so must not
// block.
var Unregistered func(server any, f func(name string) any)

// PassedOn returns the error of a handler that has made its call again elsewhere and got
// err. It is sent as err is, also if that says that the call has not run.
var PassedOn func(err error) error

// NotRun returns an *rpc.Error with a code and a message, which says that the call has
// not run.
var NotRun func(code int, message string) error

// AfterEnd calls f on a goroutine of its own when a connection, an *rpc.Conn, has ended
// and does not reconnect. stop is as that of context.AfterFunc.
var AfterEnd func(conn any, f func()) (stop func() bool)
