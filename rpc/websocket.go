package rpc

import (
	"fmt"
	"net/http"

	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// serveWebSocket makes the handshake and leaves: the connection's reader is the
// one goroutine that stays, and the request's own stack is given back.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if !hijackable(w) {
		s.config.log.Error("a middleware in front of the rpc.Server hides the connection: its http.ResponseWriter needs Hijack or Unwrap (http.TimeoutHandler's has neither)", "writer", fmt.Sprintf("%T", w))
		http.Error(w, "the server cannot take over the connection: see its log", http.StatusNotImplemented)
		return
	}
	if !s.enter() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, errFull.Error(), http.StatusServiceUnavailable)
		return
	}
	name, cd, m := s.selectSubprotocol(offered(r))
	t, err := transport.Accept(w, r, name, cd.Format() == wire.CBOR, s.config.webSocketOptions(s.leave))
	if err != nil {
		s.leave()
		return // Accept has answered
	}
	if m == modePlain {
		s.servePlainWebSocket(r, t)
		return
	}
	var host openingHost = (*serverHost)(s)
	if len(s.config.observers.conn) > 0 {
		host = handshakeHost{(*serverHost)(s), r}
	}
	o := newOpening(r.Context(), &s.config.settings, host, t, cd.Format(), false)
	go func() {
		if c, _ := o.run(); c != nil {
			c.read(t)
		}
	}()
}

// A handshakeHost is the host of an opening that has come of a request.
type handshakeHost struct {
	*serverHost
	request *http.Request
}

func (h handshakeHost) take(c *session) { (*Server)(h.serverHost).takeFrom(c, h.request) }

// servePlainWebSocket begins a session for a client that knows no hello.
func (s *Server) servePlainWebSocket(r *http.Request, t *transport.WebSocket) {
	ctx := r.Context()
	t.Plain()
	c := newSession(ctx, &s.config.settings, wire.JSON, t, modePlain, nil)
	c.principal = s.config.identify(ctx)
	t.Bind(c)
	connOf(c).observeSession(c, r)
	if s.admit(c) {
		go c.read(t)
	}
}

// hijackable reports whether w, or what it wraps, gives its connection away.
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

// webSocketOptions are those of a WebSocket, whose frames pack several messages.
func (c *config) webSocketOptions(onClose func()) transport.Options {
	return transport.Options{MaxFrame: max(c.limits.MessageBytes, frameSize), Stall: c.limits.WriteTimeout, OnClose: onClose}
}

// lineOptions are those of lines, each of which is one message.
func (c *config) lineOptions(onClose func()) transport.Options {
	return transport.Options{MaxFrame: c.limits.MessageBytes, Stall: c.limits.WriteTimeout, OnClose: onClose}
}
