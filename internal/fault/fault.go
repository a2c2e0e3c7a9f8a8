// Package fault holds the errors of the protocol in the form of package session: codes,
// messages and encoded data, without the Go types of package rpc.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// The codes that the protocol reserves. Package rpc documents them.
const (
	Parse          = -32700
	InvalidRequest = -32600
	MethodNotFound = -32601
	InvalidParams  = -32602
	Internal       = -32603

	Canceled = -32800

	Unknown          = -32000
	LimitReached     = -32005
	FlowControl      = -32007
	SessionLost      = -32008
	NeedsWirecall    = -32009
	SlowConsumer     = -32010
	ComeAgain        = -32011
	DeadlineExceeded = -32012
	Unavailable      = -32013
	Unauthenticated  = -32014
	PermissionDenied = -32015
	TooLarge         = -32016
)

// Messages that are sent in more than one place.
const (
	MessageInternal       = "internal error"
	MessageShuttingDown   = "shutting down"
	MessageConnectionLost = "connection lost"
)

// ErrClosed is the cause of what fails because this side closed the connection.
var ErrClosed = errors.New("rpc: connection closed")

// ErrStreamUsed is what a stream yields when it is ranged over for the second time.
var ErrStreamUsed = errors.New("rpc: stream ranged over twice")

// MaxRetry is the longest Error.Retry on the wire.
const MaxRetry = time.Hour

// MaxType is how many bytes Error.Type may have on the wire.
const MaxType = 128

// An Error is an error that a peer has sent, that this side sends, or that a session
// reports of its own end.
type Error struct {
	Code    int
	Message string
	Type    string        // the name of a declared error; empty for none
	Data    []byte        // encoded in the connection's format; nil for none
	Retry   time.Duration // how long the caller should wait before it makes the call again; 0 for unknown

	Ran      Ran   // whether the call was executed
	Cause    error // on this side, may be nil
	Lost     bool  // the session has ended, other than by this side's Close
	Received bool  // from the peer
}

// Errorf returns an Error with a formatted message. Its cause is the operand of %w,
// if there is one.
func Errorf(code int, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// NotSent returns the error of a call that was not sent because of cause.
func NotSent(code int, cause error) *Error {
	return &Error{Code: code, Message: cause.Error(), Ran: No, Cause: cause}
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether err is an Error with that code. It does not unwrap err.
func Is(err error, code int) bool {
	e, ok := err.(*Error)
	return ok && e.Code == code
}

// A Ran says whether a call was executed. Only the runtime of either side sets it,
// never an application.
type Ran uint8

const (
	Unsaid Ran = iota
	No         // it was not executed
	Maybe      // this is not known
)

// String returns the word on the wire, "" for Unsaid.
func (r Ran) String() string { return [...]string{"", "no", "maybe"}[r] }

// ParseRan returns the meaning of a word on the wire. An unknown word is Maybe.
func ParseRan(word string) Ran {
	if word == No.String() {
		return No
	}
	return Maybe
}

// RetryMillis returns e.Retry as it is sent: in milliseconds, rounded up, at most
// MaxRetry.
func (e *Error) RetryMillis() int64 {
	d := min(max(e.Retry, 0), MaxRetry)
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
