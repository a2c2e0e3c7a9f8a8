package rpc

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A client that asks this server for a session of another node is forwarded over a link:
// a WebSocket over a byte stream between the nodes. The request of its handshake has what
// this server knows of the client, in headers that are read from links alone. Only
// rpc.resume is served on a link.

const (
	headerPrincipal = "Wirecall-Principal" // the verdict of the node that was asked, in base64
	headerRemote    = "Wirecall-Remote"    // the address of the client: see formatAddr
)

// maxLinkFrame is the size of the largest frame that another node may send. The limits of
// its client have bounded that already.
const maxLinkFrame = 1 << 30

// joinNodes makes the server one of the nodes of a cluster, if o has any.
func (s *Server) joinNodes(o *SessionOptions) {
	if o == nil || o.Nodes == nil {
		return
	}
	s.nodes = o.Nodes
	timeout := s.config.Limits.HandshakeTimeout
	s.links = &http.Server{
		Handler:           http.HandlerFunc(s.acceptLink),
		ReadHeaderTimeout: timeout,
		IdleTimeout:       timeout,
		ErrorLog:          slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
	}
	o.Nodes.Serve(func(link net.Conn) { s.links.Serve(&onlyConn{conn: link}) })
}

// An onlyConn is a listener that accepts one connection, and then reports its end.
type onlyConn struct{ conn net.Conn }

// Accept implements net.Listener.
func (l *onlyConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	return nil, io.EOF
}

// Close implements net.Listener. The connection stays open.
func (l *onlyConn) Close() error { return nil }

// Addr implements net.Listener.
func (l *onlyConn) Addr() net.Addr { return &net.TCPAddr{} }

// acceptLink accepts a link for a client of another node.
func (s *Server) acceptLink(w http.ResponseWriter, r *http.Request) {
	name, cd, m := s.selectSubprotocol(offered(r))
	principal, err := base64.StdEncoding.DecodeString(r.Header.Get(headerPrincipal))
	switch {
	case s.stopping():
		w.WriteHeader(http.StatusGone) // and no session waits any more
		return
	case !isHandshake(r) || m != session.ModeWirecall || err != nil:
		http.Error(w, "want a handshake of another node", http.StatusBadRequest)
		return
	}
	opts := s.config.webSocketOptions(nil)
	opts.Remote = parseAddr(r.Header.Get(headerRemote))
	t, err := transport.Accept(w, r, name, cd.Format() == wire.CBOR, opts)
	if err != nil {
		return // Accept has answered
	}
	o := session.NewOpening(r.Context(), &s.config.Settings, (*serverHost)(s), t, cd.Format(), false)
	verdict := string(principal)
	o.Bearer, o.Verdict = bearerToken(r), &verdict
	go o.Run()
}

// DialLink implements session.Host.
func (s *serverHost) DialLink(ctx context.Context, o *session.Opening, node string) (transport.Transport, error) {
	conn, err := s.nodes.Dial(ctx, node)
	if err != nil {
		return nil, err
	}
	opts := &transport.DialOptions{
		Options:      transport.Options{MaxFrame: maxLinkFrame, Stall: s.config.Limits.WriteTimeout},
		Header:       linkHeader(o),
		Subprotocols: []string{subprotocol(s.config.codecs[o.Format()])},
		Binary:       o.Format() == wire.CBOR,
	}
	opts.Client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	link, resp, err := transport.Dial(ctx, "ws://node", opts)
	if err == nil && link.Subprotocol() == "" {
		link.Close()
		err = errors.New("the node does not speak the subprotocol of the client")
	}
	if err != nil {
		conn.Close()
		if resp != nil && resp.StatusCode == http.StatusGone {
			return nil, fmt.Errorf("%w: it shuts down", relay.ErrGone)
		}
		return nil, netError(err)
	}
	return link, nil
}

// linkHeader returns what the owner of a session is told of a client.
func linkHeader(o *session.Opening) http.Header {
	h := http.Header{headerPrincipal: {base64.StdEncoding.EncodeToString([]byte(o.Principal()))}}
	if o.Bearer != "" {
		h.Set("Authorization", "Bearer "+o.Bearer)
	}
	if addr := o.RemoteAddr(); addr != nil {
		h.Set(headerRemote, formatAddr(addr))
	}
	return h
}

// A remoteAddr is an address that is not of TCP.
type remoteAddr struct{ network, text string }

func (a remoteAddr) Network() string { return a.network }
func (a remoteAddr) String() string  { return a.text }

// formatAddr returns an address as text for a header: its network, a space and its text,
// which a header cannot have as it is if it is, for example, a path.
func formatAddr(a net.Addr) string { return a.Network() + " " + url.PathEscape(a.String()) }

// parseAddr returns the address that formatAddr has formatted, or nil for any other text.
func parseAddr(text string) net.Addr {
	network, escaped, _ := strings.Cut(text, " ")
	addr, err := url.PathUnescape(escaped)
	if network == "" || err != nil {
		return nil
	}
	if ap, err := netip.ParseAddrPort(addr); network == "tcp" && err == nil {
		return net.TCPAddrFromAddrPort(ap)
	}
	return remoteAddr{network, addr}
}
