package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
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
// say so, except that over HTTP some statuses do: see HTTPCaller.
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
// call, which the handler made, was not executed, the returned error does not, unless
// the handler did nothing but pass its call on.
func hasRun(err error) error {
	if passed, ok := err.(passedOn); ok {
		return passed.error
	}
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

// A Code classifies an error for programs. JSON-RPC 2.0 reserves -32768 to -32000, and
// wirecall's own codes are in that range. All other numbers are the application's.
//
// A Code is itself an error, so that
//
//	errors.Is(err, rpc.CodeUnavailable)
//
// finds it in the error of a call, and a handler may return a Code if there is nothing
// to add.
type Code int

// The codes of the protocol: those of JSON-RPC 2.0, section 5.1; that of
// $/cancelRequest in the Language Server Protocol; and wirecall's own, in the range
// that JSON-RPC leaves to implementations. They avoid the codes that EIP-1474, the
// Language Server Protocol and the Model Context Protocol use in that range; -32000 and
// -32005 mean the same in all of them.
const (
	CodeParse          Code = -32700 // not JSON (or not CBOR)
	CodeInvalidRequest Code = -32600 // not a request
	CodeMethodNotFound Code = -32601
	CodeInvalidParams  Code = -32602
	CodeInternal       Code = -32603 // a panic, or an error whose message is withheld

	CodeCanceled Code = -32800 // canceled by the caller

	CodeUnknown          Code = -32000 // an ordinary Go error: only its message is sent
	CodeLimitReached     Code = -32005 // too many calls, streams or bytes at once
	CodeFlowControl      Code = -32007 // more stream items than the credit allowed
	CodeSessionLost      Code = -32008 // the session ended with the call in flight
	CodeNeedsWirecall    Code = -32009 // a stream or a call to the peer, which plain JSON-RPC cannot carry
	CodeSlowConsumer     Code = -32010 // a plain subscription whose client does not read
	CodeComeAgain        Code = -32011 // the stream continues after its cursor, in another call
	CodeDeadlineExceeded Code = -32012
	CodeUnavailable      Code = -32013 // the connection is lost, or the peer is shutting down
	CodeUnauthenticated  Code = -32014
	CodePermissionDenied Code = -32015
	CodeTooLarge         Code = -32016 // a message over the receiver's limit

	CodeApplication Code = 1 // a declared error that has no code of its own
)

var codeNames = map[Code]string{
	CodeParse:            "parse error",
	CodeInvalidRequest:   "invalid request",
	CodeMethodNotFound:   "method not found",
	CodeInvalidParams:    "invalid params",
	CodeInternal:         "internal error",
	CodeCanceled:         "canceled",
	CodeUnknown:          "unknown error",
	CodeLimitReached:     "limit reached",
	CodeFlowControl:      "flow control violated",
	CodeSessionLost:      "session lost",
	CodeNeedsWirecall:    "needs a wirecall connection",
	CodeSlowConsumer:     "slow consumer",
	CodeComeAgain:        "come again",
	CodeDeadlineExceeded: "deadline exceeded",
	CodeUnavailable:      "unavailable",
	CodeUnauthenticated:  "unauthenticated",
	CodePermissionDenied: "permission denied",
	CodeTooLarge:         "too large",
	CodeApplication:      "application error",
}

// String returns the meaning of the code in words, or "code N" for a code of the
// application.
func (c Code) String() string {
	if name := codeNames[c]; name != "" {
		return name
	}
	return fmt.Sprintf("code %d", int(c))
}

// Error returns the same text as String.
func (c Code) Error() string { return c.String() }

// CodeOf returns the code of err. It is the code of the first error in err's tree,
// outermost first, that is an *Error, a Code, an error of package context, or ErrClosed
// (CodeUnavailable). It is CodeUnknown for any other error, and 0 for nil.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	if e := declaredErrors(nil).find(err); e != nil {
		return e.Code
	}
	return CodeUnknown
}

// An errorData is the data of an Error.
type errorData struct {
	value any         // of the application
	raw   []byte      // as received
	codec codec.Codec // of raw
	typed error       // the declared error that was decoded from raw
}

// decode stores the data in what v points to.
func (d *errorData) decode(v any) error {
	if d.raw != nil {
		return decodeData(d.codec, d.raw, v)
	}
	if d.value == nil {
		return errors.New("rpc: the error carries no data")
	}
	raw, err := codec.JSON.Append(nil, d.value)
	if err != nil {
		return err
	}
	return codec.JSON.Decode(raw, v)
}

// encoded returns the data of e as encoded by cd. It returns nil if there is none, if
// it cannot be encoded, or if the peer would refuse it.
func (e *Error) encoded(cd codec.Codec) (raw []byte) {
	defer func() {
		if recover() != nil { // in a type's own encoding
			raw = nil
		}
	}()
	d := &e.data
	v := d.value
	switch {
	case v != nil:
	case d.raw == nil:
		return nil
	case d.codec.Format() == cd.Format():
		if cd.Format().Check(d.raw, wire.CallerDepth) != nil {
			return nil
		}
		return d.raw
	default:
		v = e.converted()
	}
	if v == nil {
		return nil
	}
	b, err := cd.AppendWithin(nil, v, wire.CallerDepth)
	if err != nil {
		return nil
	}
	return b
}

// converted returns the value to encode for data that was received in one format and is
// sent in the other. It is the declared error, if its type is known here. Otherwise the
// data is converted to JSON, which keeps integers of any size and turns byte strings
// into base64. It returns nil if the data cannot be converted.
func (e *Error) converted() any {
	d := &e.data
	if d.typed != nil {
		return d.typed
	}
	if d.codec.Format() == wire.JSON {
		return json.RawMessage(d.raw)
	}
	var text json.RawMessage
	if d.codec.Decode(d.raw, &text) != nil {
		return nil
	}
	return text
}

// decodeData stores the data of an error in what v points to. If a peer that did not
// know the type has converted the data from JSON to CBOR, it has base64 where v has
// bytes, and is decoded as JSON.
func decodeData(cd codec.Codec, raw []byte, v any) error {
	err := cd.Decode(raw, v)
	if err == nil || cd.Format() == wire.JSON {
		return err
	}
	var text json.RawMessage
	if cd.Decode(raw, &text) != nil {
		return err
	}
	resetValue(v)
	if codec.JSON.Decode(text, v) != nil {
		return err
	}
	return nil
}
