package rpc

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/wirecall/wirecall/internal/transport"
)

// A CloseError reports that the peer closed the connection with a code: in a WebSocket
// close frame (RFC 6455, section 5.5.1), or in the equivalent over lines.
type CloseError struct {
	Code   int    // RFC 6455, section 7.4, or one of wirecall's from 4000 on
	Reason string // as the peer sent it, at most 123 bytes over a WebSocket

	cause transport.CloseError
}

// Error returns the reason, if there is one, and the code.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("the peer closed it (%d)", e.Code)
	}
	return fmt.Sprintf("the peer closed it: %s (%d)", e.Reason, e.Code)
}

// Unwrap returns the transport's error.
func (e *CloseError) Unwrap() error { return e.cause }

// closedByPeer returns err as users receive it: a close frame is a *CloseError.
func closedByPeer(err error) error {
	if e, ok := err.(transport.CloseError); ok {
		return &CloseError{int(e.Code), e.Reason, e}
	}
	return err
}

// A closedHere is ErrClosed with a reason for the peer.
type closedHere struct{ reason string }

func (e closedHere) Error() string { return ErrClosed.Error() + ": " + e.reason }

// CloseReason returns the reason for the close frame.
func (e closedHere) CloseReason() string { return e.reason }

func (e closedHere) Is(target error) bool { return target == ErrClosed }

// CloseWithReason is Close with a reason for the peer: the error that ends the peer's
// side is a *CloseError with code 1000 and the reason. A client that receives it does
// not connect again. The reason has at most 123 bytes of UTF-8 (RFC 6455, section 5.5);
// if it has not, CloseWithReason returns an error and the connection stays open. Over
// lines only a session that can be resumed carries the reason; the peer of any other
// session sees the end of the byte stream.
func (c *Conn) CloseWithReason(reason string) error {
	switch {
	case len(reason) > transport.MaxReason:
		return fmt.Errorf("rpc: a reason of %d bytes: a close frame has room for %d", len(reason), transport.MaxReason)
	case !utf8.ValidString(reason):
		return errors.New("rpc: the reason is not UTF-8")
	case reason == "":
		return c.Close()
	}
	c.close(closedHere{reason})
	return nil
}
