package rpc

import (
	"context"
	"maps"
	"sync"

	"github.com/wirecall/wirecall/internal/session"
)

// Metadata travels beside a call, in the message's member "meta": trace
// contexts, tenants, locales. It is wholly the caller's; authenticate a
// connection where it is made, in an http.Handler around the Server.

type (
	sentKey     struct{}
	responseKey struct{}
)

// WithMetadata adds md to what calls made with the returned context send.
func WithMetadata(ctx context.Context, md map[string]string) context.Context {
	sent := maps.Clone(sentMetadata(ctx))
	if sent == nil {
		sent = make(map[string]string, len(md))
	}
	maps.Copy(sent, md)
	return context.WithValue(ctx, sentKey{}, sent)
}

func sentMetadata(ctx context.Context) map[string]string {
	md, _ := ctx.Value(sentKey{}).(map[string]string)
	return md
}

// Metadata returns what the caller sent with the call that ctx belongs to, nil
// outside of handlers. It is not passed on to calls that the handler makes.
func Metadata(ctx context.Context) map[string]string {
	if in := session.CallFromContext(ctx); in != nil {
		return in.Metadata()
	}
	return nil
}

// SetMetadata makes a value travel back with the answer to the call that ctx
// belongs to. It has no effect once the handler has returned, and none outside
// of handlers.
func SetMetadata(ctx context.Context, key, value string) {
	if in := session.CallFromContext(ctx); in != nil {
		in.SetMetadata(key, value)
	}
}

// ResponseMetadata returns a context with which calls store in md what their
// answers carry. Calls that share the context may run at once; md must be read
// when they have returned.
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
