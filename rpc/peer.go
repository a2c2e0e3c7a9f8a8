package rpc

import (
	"context"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

var errNeedsWirecall = &Error{Code: CodeNeedsWirecall, Message: "streams and calls to the peer need a wirecall connection: this one is plain JSON-RPC", ran: fault.No}

// noPeer is the result of Peer if there is no peer.
type noPeer struct{}

func (noPeer) Call(_ context.Context, call *Call) error {
	call.failStreams(errNeedsWirecall)
	return errNeedsWirecall
}

// Peer returns the other side of the connection that the call of ctx came over, for
// calls in the opposite direction: give it to a generated client. It may be kept after
// the handler has returned, and works until the connection ends. It is never nil: if
// there is no peer that can be called, as outside handlers, in a POST and in plain
// mode, its calls fail with CodeNeedsWirecall. In a handler it is a *Conn, whose Done
// is closed when the peer has gone.
func Peer(ctx context.Context) Caller {
	if s := session.FromContext(ctx); s != nil {
		return connOf(s)
	}
	return noPeer{}
}
