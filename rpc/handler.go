package rpc

import (
	"context"
	"maps"
	"sync"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// The functions of this file are for the handler of a call, whose context they take, and
// for the context of a call that is made. Metadata is sent beside a call, in the
// message's member "meta": trace contexts, tenants, locales. The caller controls all of
// it, so it cannot authenticate: see ServerOptions.Authenticate.

type (
	sentKey     struct{}
	responseKey struct{}
)

// WithMetadata returns a context with which calls send md, in addition to the metadata
// that ctx already carries.
func WithMetadata(ctx context.Context, md map[string]string) context.Context {
	sent, _ := ctx.Value(sentKey{}).(map[string]string)
	if sent = maps.Clone(sent); sent == nil {
		sent = make(map[string]string, len(md))
	}
	maps.Copy(sent, md)
	return context.WithValue(ctx, sentKey{}, sent)
}

// Metadata returns the metadata that the caller sent with the call of ctx, or nil
// outside handlers. Calls that the handler makes do not send it on.
func Metadata(ctx context.Context) map[string]string {
	if in := session.CallFromContext(ctx); in != nil {
		return in.Metadata()
	}
	return nil
}

// SetMetadata sets a value that is sent back with the answer to the call of ctx. It has
// no effect after the handler has returned, or outside handlers.
func SetMetadata(ctx context.Context, key, value string) {
	if in := session.CallFromContext(ctx); in != nil {
		in.SetMetadata(key, value)
	}
}

// ResponseMetadata returns a context with which calls store the metadata of their
// answers in md. Calls that share the context may run at once; md must not be read
// before they have returned.
func ResponseMetadata(ctx context.Context, md map[string]string) context.Context {
	return context.WithValue(ctx, responseKey{}, &responseMetadata{md: md})
}

type responseMetadata struct {
	mu sync.Mutex
	md map[string]string
}

func (r *responseMetadata) add(md map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.md, md)
}

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
