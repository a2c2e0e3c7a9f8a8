package transport

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrNotReading is the error of a transport whose peer does not take what is written.
var ErrNotReading = errors.New("the peer does not read")

// A CloseCode is the code of a close frame: those of RFC 6455, section 7.4.1, and
// wirecall's own from 4000 on. The peer may reconnect after one from 4000 to 4499.
type CloseCode int

const (
	CloseNormal    CloseCode = 1000
	CloseCut       CloseCode = 4000
	CloseShutdown  CloseCode = 4001
	CloseTimeout   CloseCode = 4002
	CloseExpired   CloseCode = 4003 // the client's credentials have expired: it reconnects with others
	CloseViolation CloseCode = 4500 // of the protocol
	CloseCounting  CloseCode = 4501
	ClosePolicy    CloseCode = 4502
)

// The codes of RFC 6455 that replace wirecall's for a peer that speaks plain JSON-RPC, and
// the one with which a browser reports that there was no close frame.
const (
	closeGoingAway       CloseCode = 1001
	closeAbnormal        CloseCode = 1006
	closePolicyViolation CloseCode = 1008
)

// A CloseError is the peer's close frame.
type CloseError struct {
	Code   CloseCode
	Reason string
	Err    error // the underlying error; may be nil
}

func (e CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("the peer closed it (%d)", e.Code)
	}
	return fmt.Sprintf("the peer closed it: %s (%d)", e.Reason, e.Code)
}

func (e CloseError) Unwrap() error { return e.Err }

// A FrameError reports bytes that cannot be a frame, whatever their content.
type FrameError struct {
	TooLarge bool // over MaxFrame; otherwise the frame has the wrong type
	Message  string
}

func (e FrameError) Error() string { return e.Message }

// wrongType returns the error of a frame of a type that the connection does not use.
func wrongType(binary bool) FrameError {
	is, uses := "text", "binary"
	if binary {
		is, uses = uses, is
	}
	return FrameError{Message: fmt.Sprintf("a frame is %s: this connection uses %s", is, uses)}
}

// MaxReason is the largest size of a reason in bytes: a control frame has at most 125
// (RFC 6455, section 5.5), of which the code takes two.
const MaxReason = 123

// closeReason returns reason as valid UTF-8 of at most MaxReason bytes; it may quote a
// user's error, which need not be valid.
func closeReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "\ufffd")
	for len(reason) > MaxReason {
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	return reason
}
