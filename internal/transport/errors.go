package transport

import (
	"errors"
	"fmt"
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

// The codes of RFC 6455 that replace wirecall's for a peer that speaks plain JSON-RPC.
const (
	closeGoingAway       CloseCode = 1001
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
