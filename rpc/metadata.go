package rpc

import (
	"context"
	"maps"
	"sync"

	"github.com/wirecall/wirecall/internal/session"
)

// Metadata is sent beside a call, in the message's member "meta": trace contexts,
// tenants, locales. The caller controls all of it, so it cannot authenticate: see
// ServerOptions.Authenticate.

type (
	sentKey     struct{}
	responseKey struct{}
)

// WithMetadata returns a context with which calls send md, in addition to the metadata
// that ctx already carries.
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
