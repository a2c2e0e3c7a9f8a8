package mcprpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc"
)

// Handler returns an http.Handler that serves the methods of srv as tools, over the
// protocol's Streamable HTTP. It needs ServerOptions.Describe, and the services that are
// registered when it is called.
//
// Each request is a connection of srv in memory, which ends with the request: it is
// authenticated by ServerOptions.Authenticate with the bearer token of the request, its
// calls pass the interceptors, observers and limits of srv, and the contexts of handlers
// have the values of the request's. A client that cancels a call, or goes away, cancels it
// there. Nothing is kept between requests, so that any server behind a balancer can answer
// any of them.
//
// Pages of other origins are refused, see http.CrossOriginProtection; and so are, on a
// loopback address, requests for a host of another name.
func Handler(srv *rpc.Server, opts *Options) (http.Handler, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	document, err := description(srv)
	if err != nil {
		return nil, err
	}
	s, err := newServer(document, callerOf, o)
	if err != nil {
		return nil, err
	}
	h := &handler{srv: srv, log: o.Logger, cancels: cancelTable{calls: map[callName]context.CancelFunc{}}}
	h.mcp = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s },
		&mcp.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true, Logger: o.Logger})
	return http.NewCrossOriginProtection().Handler(h), nil
}

// errNotDescribed is the error of a server without a description.
var errNotDescribed = errors.New("mcprpc: the server does not describe itself: set ServerOptions.Describe")

// description returns the description of a server. It is the program that asks: no
// interceptor has to know it.
func description(srv *rpc.Server) (*openrpc.Document, error) {
	for m := range srv.Methods() {
		if m.Name != "rpc.discover" || m.Service != "rpc" {
			continue
		}
		_, result := m.New()
		if err := m.Serve(context.Background(), nil, &rpc.Call{Method: m, Result: result, Served: true}); err != nil {
			return nil, fmt.Errorf("mcprpc: %w", err)
		}
		return openrpc.Parse(*result.(*json.RawMessage))
	}
	return nil, errNotDescribed
}

// A handler serves one rpc.Server.
type handler struct {
	srv *rpc.Server
	log *slog.Logger
	mcp http.Handler // whose tools call with callerOf

	cancels cancelTable
}

// ServeHTTP implements http.Handler. Only a POST has messages; the SDK refuses the rest.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		h.mcp.ServeHTTP(w, r)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	conn, done, err := h.connect(ctx, bearer(r))
	if err != nil {
		refuse(w, err)
		return
	}
	defer done()
	h.cancels.serve(w, r.WithContext(context.WithValue(ctx, callerKey{}, conn)), cancel, h.mcp)
}

type callerKey struct{}

// callerOf returns the connection of the request that a tool is called by.
func callerOf(ctx context.Context) rpc.Caller { return ctx.Value(callerKey{}).(rpc.Caller) }

// connect makes a connection in memory for a request with a context and a token. It ends
// with done, or with the context before that; a notification that was sent is served
// behind done.
func (h *handler) connect(request context.Context, token func(context.Context) (string, error)) (conn *rpc.Conn, done func(), err error) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(request))
	stop := context.AfterFunc(request, func() { cancel(context.Cause(request)) })
	near, far := net.Pipe()
	go func() {
		h.srv.ServeConn(ctx, far)
		cancel(nil)
	}()
	conn, err = rpc.NewConn(ctx, near, &rpc.ConnOptions{Token: token, Logger: h.log})
	if err != nil {
		stop()
		near.Close()
		return nil, nil, err
	}
	return conn, func() {
		stop()
		conn.Close()
	}, nil
}

// bearer returns what returns the bearer token of a request (RFC 6750, section 2.1), or nil
// if it has none.
func bearer(r *http.Request) func(context.Context) (string, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	return func(context.Context) (string, error) { return token, nil }
}

// refuse answers a request for which there is no connection.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	switch rpc.CodeOf(err) {
	case rpc.CodeUnauthenticated:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, section 11.6.1
	case rpc.CodePermissionDenied:
		status = http.StatusForbidden
	default:
		w.Header().Set("Retry-After", "1")
	}
	message := http.StatusText(status)
	if e, ok := errors.AsType[*rpc.Error](err); ok {
		message = e.Error()
	}
	http.Error(w, message, status)
}
