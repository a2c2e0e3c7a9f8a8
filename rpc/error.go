package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
)

// ErrClosed is the cause of what fails because this side closed the connection.
var ErrClosed = fault.ErrClosed

// ErrStreamUsed is what a stream yields when it is ranged over for the second time.
var ErrStreamUsed = fault.ErrStreamUsed

// An Error is an error as it is sent to the peer. A handler may return one to choose
// the code. On the other side errors.As finds it in the error of a call or of a stream,
// and errors.Is finds its Code.
//
// To errors.Is an Error with CodeCanceled is context.Canceled, and one with
// CodeDeadlineExceeded is context.DeadlineExceeded.
type Error struct {
	Code    Code
	Message string

	// Type is the name of a declared error, such as "auction.NotFound", or "". It is sent
	// in wirecall mode if it has at most 128 bytes.
	Type string

	// Retry is how long the caller should wait before it makes the call again, or 0 for
	// no advice. It is sent in wirecall mode, in whole milliseconds and as an hour at
	// most. The runtime does not repeat a call because of it, except for a call whose
	// stream ended with CodeComeAgain.
	Retry time.Duration

	ran      fault.Ran // whether the call was executed, set only by the runtime
	data     errorData
	cause    error // the operand of %w or another local cause; in a received Error the declared error
	lost     bool  // see lost
	received bool  // from the peer
}

// Errorf returns an Error with a formatted message. If the format has one %w, the Error
// unwraps to its operand.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Error returns the message, or the meaning of the code if there is none.
func (e *Error) Error() string {
	if e.Message == "" {
		return "rpc: " + e.Code.String()
	}
	return e.Message
}

// Unwrap returns the declared error that was decoded from a received Error, or the
// local cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is e's Code, or the error of package context that the Code
// stands for.
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

// WithData returns a copy of e with the given data in place of its own, so that an
// Error in a package variable can be a template. The data is sent beside the message,
// encoded by the connection's codec, and the receiver reads it with Decode. It is left
// out if it cannot be encoded, or is over the receiver's limit for a message. Nil is no
// data.
func (e *Error) WithData(data any) *Error {
	c := *e
	c.data = errorData{value: data}
	return &c
}

// Decode stores the data of e in what v points to. It returns an error if e has none.
// The result is the same on both sides: on the side that made e, the data is encoded as
// JSON and decoded again.
func (e *Error) Decode(v any) error { return e.data.decode(v) }

// wireError returns err as it is sent for a method with the given declared errors. It
// has the message of all of err, unless hide withholds it.
func wireError(err error, declared declaredErrors, hide bool) *Error {
	e := declared.find(err)
	switch {
	case e == nil && hide:
		return &Error{Code: CodeInternal, Message: fault.MessageInternal}
	case e == nil:
		return &Error{Code: CodeUnknown, Message: err.Error()}
	case e == errClosedHere || e.Message == err.Error():
		return e
	}
	complete := *e
	complete.Message, complete.cause = err.Error(), nil
	return &complete
}

// NotRun reports whether err says that the call was not executed, so that it is safe to
// make the call again, elsewhere or later, whatever the method does. That is so for a
// method that the server does not have, too. Only the runtime of either side says so,
// never the code or the data of an application's error. A plain JSON-RPC server cannot
// say so.
func NotRun(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.ran == fault.No
}

// RetryAfter returns how long to wait before making the call again, if the error of its
// handler says so, or before dialing again, if err is from Dial and the server says so.
// Otherwise ok is false. See Error.Retry.
func RetryAfter(err error) (d time.Duration, ok bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Retry <= 0 {
		return 0, false
	}
	return e.Retry, true
}

// hasRun returns err as the error of a handler that has run: if err says that another
// call, which the handler made, was not executed, the returned error does not.
func hasRun(err error) error {
	if !NotRun(err) {
		return err
	}
	e, _ := errors.AsType[*Error](err)
	own := *e
	own.ran, own.Message, own.cause = fault.Unsaid, err.Error(), err
	return &own
}

// lost reports whether err is the error of a session that ended and that this side did
// not end.
func lost(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.lost
}

// notSent returns the error of a call that was not sent.
func notSent(code Code, cause error) *Error {
	return &Error{Code: code, Message: cause.Error(), ran: fault.No, cause: cause}
}
