package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/fault"
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
		refuse(w, errFull.Error())
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
	go o.Run()
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

// byteStreamOptions returns the options of a pair of byte streams, where a frame is one
// message.
func (c *config) byteStreamOptions(onClose func()) transport.Options {
	return transport.Options{MaxFrame: c.Limits.MessageBytes, Stall: c.Limits.WriteTimeout, OnClose: onClose}
}

// ownSubprotocols is the prefix of the names of wirecall's versions. A name with it
// that this version does not know is never accepted, because the peer would use it.
const ownSubprotocols = "wirecall."

// maxSubprotocol is the largest size in bytes of an application's subprotocol that the
// default accepts. Pages put tokens into names.
const maxSubprotocol = 8 << 10

func subprotocol(cd codec.Codec) string { return ownSubprotocols + "v1." + cd.Format().Name() }

// isOwnSubprotocol reports whether a name is wirecall's, in any case.
func isOwnSubprotocol(name string) bool {
	return len(name) >= len(ownSubprotocols) && strings.EqualFold(name[:len(ownSubprotocols)], ownSubprotocols)
}

// offered returns the subprotocols that a handshake offers, in order.
func offered(r *http.Request) []string {
	var names []string
	for _, v := range r.Header["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// selectSubprotocol returns the subprotocol to use of those that a client offers, or
// "", with its codec and mode: the first of wirecall's, or else the first of the
// application's own, in plain mode. Names are compared exactly.
func (s *Server) selectSubprotocol(names []string) (string, codec.Codec, session.Mode) {
	for _, name := range names {
		for _, cd := range s.codecs {
			if name == subprotocol(cd) {
				return name, cd, session.ModeWirecall
			}
		}
	}
	i := slices.IndexFunc(names, func(name string) bool {
		if s.subprotocols == nil {
			return !isOwnSubprotocol(name) && len(name) <= maxSubprotocol
		}
		return slices.Contains(s.subprotocols, name)
	})
	if i < 0 {
		return "", codec.JSON, session.ModePlain
	}
	return names[i], codec.JSON, session.ModePlain
}

func checkSubprotocols(names []string) error {
	for i, name := range names {
		switch {
		case isOwnSubprotocol(name):
			return fmt.Errorf("ServerOptions.Subprotocols[%d] is %q: names that begin with %q are wirecall's, and need not be listed", i, name, ownSubprotocols)
		case name == "" || strings.ContainsFunc(name, notToken):
			return fmt.Errorf("ServerOptions.Subprotocols[%d] is %q: want a token, as RFC 6455, section 4.1, has it", i, name)
		}
	}
	return nil
}

// notToken reports whether r cannot be in an HTTP token: RFC 9110, section 5.6.2.
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// preflightAge is how long a browser may cache the response to a preflight request, in
// seconds. Browsers have limits of their own, Chromium two hours.
const preflightAge = "7200"

// allowCORS lets pages of an allowed origin POST with what they may open a WebSocket
// with: cookies, and, since the messages of a WebSocket can carry anything, headers of
// any name.
func allowCORS(h http.Header, r *http.Request, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions {
		return
	}
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Max-Age", preflightAge)
	h.Add("Vary", "Access-Control-Request-Headers")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
}

// allows reports whether requests with an Origin header (RFC 6454, section 7) are
// served. Only browsers send that header, and pages cannot set it.
func (s *Server) allows(origin, host string) bool {
	if origin == "null" { // a sandboxed frame, among others
		return s.allowsOneOf("", origin)
	}
	u, err := url.Parse(strings.ToLower(origin))
	switch {
	case err != nil:
		return false
	case u.Scheme == "file" && u.Host == "":
		return s.allowsOneOf("", "file://")
	case u.Scheme == "" || u.Host == "":
		return false
	}
	from := canonicalHost(u.Scheme, u.Host)
	return from == canonicalHost(u.Scheme, strings.ToLower(host)) || s.allowsOneOf(u.Scheme, from, u.Scheme+"://"+from)
}

// allowsOneOf reports whether a pattern matches one of the names of an origin. A
// pattern with a scheme matches only a name with one, and a pattern without matches
// only a name without, because no wildcard matches a slash.
func (s *Server) allowsOneOf(scheme string, names ...string) bool {
	for _, pattern := range s.origins {
		if pattern == "*" {
			return true
		}
		for _, name := range names {
			if ok, _ := path.Match(withoutDefaultPort(scheme, pattern), name); ok {
				return true
			}
		}
	}
	return false
}

// originPatterns returns ServerOptions.Origins as patterns for path.Match.
func originPatterns(written []string) []string {
	var patterns []string
	for _, p := range written {
		scheme, host, ok := strings.Cut(strings.ToLower(p), "://")
		if ok {
			patterns = append(patterns, scheme+"://"+literalIPv6(canonicalIPv6(host)))
		} else {
			patterns = append(patterns, literalIPv6(canonicalIPv6(scheme)))
		}
	}
	return patterns
}

// literalIPv6 escapes the brackets around an IPv6 address, which path.Match would read
// as a set of characters.
func literalIPv6(host string) string {
	addr, port, ok := strings.Cut(host, "]")
	if !ok || !strings.HasPrefix(addr, "[") || !strings.Contains(addr, ":") {
		return host
	}
	return `\[` + addr[1:] + `\]` + port
}

// canonicalHost returns a host, with its port if it has one, in the spelling in which
// hosts are compared.
func canonicalHost(scheme, host string) string {
	return withoutDefaultPort(scheme, canonicalIPv6(host))
}

// canonicalIPv6 returns a host with its IPv6 address, if it is one, in the spelling of
// RFC 5952, section 4, in brackets and without a zone, which has no meaning outside the
// client: RFC 6874, section 1.
func canonicalIPv6(host string) string {
	bracket := strings.LastIndexByte(host, ']') + 1
	literal, port := host[:bracket], host[bracket:]
	if bracket == 0 {
		literal, port = host, ""
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(literal, "["), "]"))
	if err != nil || !addr.Is6() {
		return host
	}
	return "[" + addr.WithZone("").String() + "]" + port
}

// withoutDefaultPort removes the port that a scheme implies, as browsers do in Origin
// headers and some clients and proxies do not in Host headers.
func withoutDefaultPort(scheme, host string) string {
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// servePOST answers one message or one batch of JSON-RPC over HTTP, for curl and for
// clients without a WebSocket. The handlers' contexts end with the request.
func (s *Server) servePOST(w http.ResponseWriter, r *http.Request) {
	if !isJSON(r.Header.Get("Content-Type")) {
		http.Error(w, "Content-Type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	if s.stopping() {
		refuse(w, fault.MessageShuttingDown)
		return
	}
	ctx, ok := s.authenticateHTTP(w, r)
	if !ok {
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.config.Limits.MessageBytes)))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		http.Error(w, tooLarge.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		return // the client has gone
	}
	msg, ok := session.AnswerPlain(withValues(r.Context(), ctx), &s.config.Settings, body)
	switch {
	case !ok:
	case len(msg) == 0:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(msg)
	}
}

// isJSON reports whether a content type is one that JSON-RPC clients send. A page of a
// foreign origin can send none of them without a preflight request.
func isJSON(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch t {
	case "application/json", "application/json-rpc", "application/jsonrequest":
		return true
	}
	return false
}
