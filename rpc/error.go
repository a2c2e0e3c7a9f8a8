package rpc

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
)

// ErrClosed is the cause of what ends because this side closed the connection.
var ErrClosed = fault.ErrClosed

// ErrStreamUsed is what ranging over a stream for the second time yields.
var ErrStreamUsed = fault.ErrStreamUsed

// An Error is an error as it crosses the wire. A handler may return one to
// choose the code; on the other side errors.As finds it in what a call returns
// or a stream yields, and errors.Is its Code.
//
// errors.Is says that an Error with CodeCanceled is context.Canceled, and one
// with CodeDeadlineExceeded is context.DeadlineExceeded.
type Error struct {
	Code    Code
	Message string

	// Retry is how long the caller should wait before it makes the call again; 0
	// says nothing. It crosses in wirecall mode, in whole milliseconds and up to an
	// hour. The runtime itself does not repeat a call because of it, except one
	// whose stream ended with CodeComeAgain.
	Retry time.Duration

	ran      fault.Ran // whether the call was executed, as the runtime itself says
	data     errorData
	cause    error // what it was made of, on the side that made it or the typed error decoded from the data
	lost     bool  // it is that of a session which has ended
	received bool  // from the peer
}

// Errorf makes an Error with a formatted message. Where the format has %w, the
// Error unwraps to its operand.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Error returns the message, or what the code means where there is none.
func (e *Error) Error() string {
	if e.Message == "" {
		return "rpc: " + e.Code.String()
	}
	return e.Message
}

// Unwrap returns the typed error that RegisterError's type was decoded to, or
// the local cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is e's Code, or the context package's error behind it.
func (e *Error) Is(target error) bool {
	switch target {
	case context.Canceled:
		return e.Code == CodeCanceled
	case context.DeadlineExceeded:
		return e.Code == CodeDeadlineExceeded
	}
	code, ok := target.(Code)
	return ok && e.Code == code
}

// WithData returns a copy of e that carries data, in place of what e carries. It
// crosses beside the message, encoded by the connection's codec; the receiver calls
// Decode. Data that cannot be encoded does not cross. Nil is no data.
func (e *Error) WithData(data any) *Error {
	c := *e
	c.data = errorData{value: data}
	return &c
}

// Decode stores the data that e carries in what v points to. The result is the same
// on the side that made e, where the data is encoded for it as JSON, and on the side
// that has received it. It fails where e carries none.
func (e *Error) Decode(v any) error { return e.data.decode(v) }

// ErrorCode makes *Error a Coder.
func (e *Error) ErrorCode() int { return int(e.Code) }

// A Coder is an error that knows its code on the wire. When a handler returns
// one, or an error that wraps one, the code and the encoded error itself, as
// data, cross beside its message. Register the type with RegisterError, and
// errors.As finds it on the other side again.
type Coder interface {
	error
	ErrorCode() int
}

var registered sync.Map // Code → reflect.Type

// RegisterError makes errors of type T recognizable where they arrive: an error
// with T's code is decoded to a T, which errors.As then finds. Call it for the
// error types of a service from an init function in the package that defines
// them, so that both sides have it. The code is what the zero T (for a pointer
// type, a new one) says; it panics if that is JSON-RPC's own or already taken.
func RegisterError[T Coder]() {
	t := reflect.TypeFor[T]()
	code := Code(newCoder(t).Interface().(Coder).ErrorCode())
	if code >= codeApplicationFloor && code <= codeApplicationCeil || code == CodeCanceled {
		panic(fmt.Sprintf("rpc: %v has code %d, which the protocol reserves (%d to %d)", t, int(code), int(codeApplicationFloor), int(codeApplicationCeil)))
	}
	if prev, dup := registered.LoadOrStore(code, t); dup && prev != t {
		panic(fmt.Sprintf("rpc: code %d of %v is taken by %v", int(code), t, prev))
	}
}

func newCoder(t reflect.Type) reflect.Value {
	if t.Kind() == reflect.Pointer {
		return reflect.New(t.Elem())
	}
	return reflect.New(t).Elem()
}

// recognize gives an Error that was received its registered type. It runs that
// type's code, so it is for the goroutine that gets the error, and before
// anyone else has it.
func recognize(err error) error {
	e, ok := err.(*Error)
	if !ok || e.data.raw == nil {
		return err
	}
	if t, ok := registered.Load(e.Code); ok {
		v := reflect.New(t.(reflect.Type))
		if e.data.decode(v.Interface()) == nil {
			e.cause, _ = v.Elem().Interface().(error)
		}
	}
	return err
}

// wireError is err as it crosses: what the other side may know and no more.
func wireError(err error, hide bool) *Error {
	var e *Error
	var coder Coder
	var code Code
	switch {
	case errors.As(err, &coder):
		if !errors.As(coder, &e) {
			e = &Error{Code: Code(coder.ErrorCode()), data: errorData{value: coder}}
		}
		if msg := err.Error(); msg != e.Message {
			e = &Error{Code: e.Code, Message: msg, Retry: e.Retry, ran: e.ran, data: e.data}
		}
		return e
	case errors.As(err, &code):
		return &Error{Code: code, Message: err.Error()}
	}
	switch code := CodeOf(err); {
	case errors.Is(err, ErrClosed):
		return &Error{Code: code, Message: fault.MessageConnectionLost}
	case code == CodeUnknown && hide:
		return &Error{Code: CodeInternal, Message: fault.MessageInternal}
	default:
		return &Error{Code: code, Message: err.Error()}
	}
}

// NotRun reports whether err says that the call it came from was not executed, so
// that making it again elsewhere or later is safe whatever the method does. Only
// the runtime of either side says so: data that an application sends beside an
// error has no part in it. A plain JSON-RPC server cannot say it.
func NotRun(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.ran == fault.No
}

// RetryAfter returns how long to wait before making the call again, if the error
// of its handler says so, or before dialing again, if the server does in that of Dial;
// see Error.Retry.
func RetryAfter(err error) (d time.Duration, ok bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Retry <= 0 {
		return 0, false
	}
	return e.Retry, true
}

// hasRun is err as a handler's own: what it says of another call, which the
// handler made, is not said of the handler's.
func hasRun(err error) error {
	if !NotRun(err) {
		return err
	}
	e, _ := errors.AsType[*Error](err)
	return &Error{Code: e.Code, Message: err.Error(), Retry: e.Retry, data: e.data, cause: err}
}

// lost reports whether err is that of a session which has ended for another
// reason than that this side wanted it to.
func lost(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.lost
}

// notSent is what a caller gets for a call that never left.
func notSent(code Code, cause error) *Error {
	return &Error{Code: code, Message: cause.Error(), ran: fault.No, cause: cause}
}
