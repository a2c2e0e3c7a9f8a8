package rpc

import (
	"context"

	"github.com/wirecall/wirecall/internal/session"
)

// Async lets calls that follow a notification of the same service start before the
// notification's handler has returned. A handler calls it if it takes long, or if it
// waits for something that such a call brings about. A call to the same peer with the
// handler's context has the same effect. Outside the handlers of notifications Async
// does nothing.
//
// By default a call starts when the notifications of its service that came before it
// have returned, or after ten seconds. The directive //wirecall:unordered exempts a
// method from that order.
func Async(ctx context.Context) {
	if in := session.CallFromContext(ctx); in != nil && in.ID == nil {
		in.ReleaseHold()
	}
}
