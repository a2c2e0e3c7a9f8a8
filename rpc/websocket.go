package rpc

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// serveWebSocket makes the handshake and returns. The connection's reader is the only
// goroutine that stays, and the stack of the request's goroutine is released.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if !hijackable(w) {
		s.config.Log.Error("a middleware in front of the rpc.Server hides the connection: its http.ResponseWriter needs Hijack or Unwrap (http.TimeoutHandler's has neither)", "writer", fmt.Sprintf("%T", w))
		http.Error(w, "the server cannot take over the connection: see its log", http.StatusNotImplemented)
		return
	}
	if !s.enter() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, errFull.Error(), http.StatusServiceUnavailable)
		return
	}
	name, cd, m := s.selectSubprotocol(offered(r))
	ctx, ok := r.Context(), true
	if m == session.ModePlain {
		if ctx, ok = s.authenticateHTTP(w, r); !ok {
			s.leave()
			return
		}
	}
	t, err := transport.Accept(w, r, name, cd.Format() == wire.CBOR, s.config.webSocketOptions(s.leave))
	if err != nil {
		s.leave()
		return // Accept has answered
	}
	if m == session.ModePlain {
		s.servePlainWebSocket(ctx, r, t)
		return
	}
	var host session.Host = (*serverHost)(s)
	if len(s.config.observers.conn) > 0 {
		host = handshakeHost{(*serverHost)(s), r}
	}
	o := session.NewOpening(ctx, &s.config.Settings, host, t, cd.Format(), false)
	o.Bearer = bearerToken(r)
	go func() {
		if c, _ := o.Run(); c != nil {
			c.Read(t)
		}
	}()
}

// A handshakeHost is the host of an opening that began with a WebSocket handshake.
type handshakeHost struct {
	*serverHost
	request *http.Request
}

func (h handshakeHost) Accept(c *session.Session) { (*Server)(h.serverHost).addSession(c, h.request) }

// servePlainWebSocket begins a session with a client that sends no hello.
func (s *Server) servePlainWebSocket(ctx context.Context, r *http.Request, t *transport.WebSocket) {
	t.Plain()
	c := session.New(ctx, &s.config.Settings, wire.JSON, t, session.ModePlain, nil)
	c.Principal = s.config.Identify(ctx)
	c.ExpireWith(ctx, t)
	t.Bind(c)
	connOf(c).observeSession(c, r)
	if s.admit(c) {
		go c.Read(t)
	}
}

// hijackable reports whether w, or what it wraps, implements http.Hijacker.
func hijackable(w http.ResponseWriter) bool {
	for {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wrapper.Unwrap()
	}
}

// webSocketOptions returns the options of a WebSocket, whose frames pack several
// messages.
func (c *config) webSocketOptions(onClose func()) transport.Options {
	return transport.Options{MaxFrame: max(c.Limits.MessageBytes, session.FrameSize), Stall: c.Limits.WriteTimeout, OnClose: onClose}
}

// lineOptions returns the options of lines, each of which is one message.
func (c *config) lineOptions(onClose func()) transport.Options {
	return transport.Options{MaxFrame: c.Limits.MessageBytes, Stall: c.Limits.WriteTimeout, OnClose: onClose}
}
