package dynamic

import (
	"context"
	"errors"

	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc"
)

// ErrNotDescribed is returned for a server that does not describe itself.
var ErrNotDescribed = errors.New("the server does not describe itself: it has no method rpc.discover, which a wirecall server has with ServerOptions.Describe. Call and watch work without")

// Discover asks the server what it serves.
func Discover(ctx context.Context, caller rpc.Caller) (*openrpc.Document, error) {
	document, err := Document(ctx, caller)
	if err != nil {
		return nil, err
	}
	return openrpc.Parse(document)
}

// Document is Discover without reading what the server says.
func Document(ctx context.Context, caller rpc.Caller) (document JSON, err error) {
	err = caller.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "rpc.discover"}, Result: &document})
	if rpc.CodeOf(err) == rpc.CodeMethodNotFound {
		return nil, ErrNotDescribed
	}
	return document, err
}
