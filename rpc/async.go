package rpc

import (
	"context"

	"github.com/wirecall/wirecall/internal/session"
)

// Async lets the calls of a notification's service that came behind it start before
// its handler has returned. A handler that waits for something which such a call
// brings about, or that simply takes long, calls it; a call to the same peer with the
// handler's context does the same. Outside of the handlers of notifications it does
// nothing.
//
// By default a call starts when the notifications of its service that came before it
// have returned, or after ten seconds. The directive //wirecall:unordered on a method
// takes it out of that order.
func Async(ctx context.Context) {
	if in := session.CallFromContext(ctx); in != nil && in.ID == nil {
		in.ReleaseHold()
	}
}
