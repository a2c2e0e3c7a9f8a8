package rpc

import "fmt"

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
