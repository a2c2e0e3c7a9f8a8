package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/codec"
)

// DialOptions are what a connection can be told. The zero value of each field
// is the recommendation.
type DialOptions struct {
	// Codec is what values are encoded with. The default is codec.JSON. Only
	// WebSocket connections can use another, where the server offers it.
	Codec codec.Codec

	// Services are what this side serves to the other.
	Services []Service

	// Header is sent with the WebSocket handshake, for authentication and the
	// like.
	Header http.Header

	// HTTPClient makes the WebSocket handshake: its Transport has the TLS
	// configuration and the proxies. The default is http.DefaultClient.
	HTTPClient *http.Client

	// Limits bound what the connection may cost this side.
	Limits Limits

	// CallInterceptors are wrapped around calls that this side makes, the first
	// outermost; ServeInterceptors around those that it serves.
	CallInterceptors  []Interceptor
	ServeInterceptors []Interceptor

	// HideErrors and Logger are as in ServerOptions.
	HideErrors bool
	Logger     *slog.Logger
}

func (o *DialOptions) config() *config {
	cfg := &config{
		limits:     o.Limits.withDefaults(),
		methods:    &registry{},
		callChain:  chain(o.CallInterceptors),
		serveChain: chain(o.ServeInterceptors),
		hideErrors: o.HideErrors,
		log:        logger(o.Logger),
	}
	for _, s := range o.Services {
		cfg.methods.register(s)
	}
	return cfg
}

// Dial connects to a server. The URL's scheme is ws or wss for a WebSocket
// (http and https mean the same), tcp or unix for lines over a socket:
// tcp://host:port, unix:///path/to/socket. A nil opts means the defaults.
//
// ctx bounds the dialing only; its values are those of the handlers' contexts,
// where Services are given. The connection ends with Close.
//
// A server that does not speak wirecall is spoken to in plain JSON-RPC 2.0:
// calls and notifications work, streams fail with CodeNeedsWirecall.
//
// Where the server refuses the handshake the error is an *Error with
// CodeUnauthenticated for 401, CodePermissionDenied for 403, and CodeUnavailable
// for anything else, as for a server that cannot be reached.
func Dial(ctx context.Context, rawURL string, opts *DialOptions) (*Conn, error) {
	c, err := dial(ctx, rawURL, opts)
	if err != nil {
		return nil, dialError(rawURL, err)
	}
	return c, nil
}

func dial(ctx context.Context, rawURL string, opts *DialOptions) (*Conn, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "ws", "wss", "http", "https":
		return dialWebSocket(ctx, rawURL, opts)
	case "tcp", "unix":
		var d net.Dialer
		conn, err := d.DialContext(ctx, u.Scheme, u.Host+u.Path)
		if err != nil {
			return nil, err
		}
		return newLines(ctx, conn, opts)
	}
	return nil, fmt.Errorf("the scheme must be ws, wss, http, https, tcp or unix, not %q", u.Scheme)
}

// dialError says once what was dialed and what came of it.
func dialError(rawURL string, err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok { // net/http repeats the URL
		err = inner.Err
	}
	code := CodeUnavailable
	if e, ok := errors.AsType[*Error](err); ok {
		code = e.Code
	}
	return &Error{Code: code, Message: fmt.Sprintf("rpc: dial %s: %v", rawURL, err), Data: ranNo, cause: err}
}

// NewConn makes a connection of a pair of byte streams at whose other end a
// server runs ServeConn: messages are lines of JSON. It closes rwc when it
// fails and when the connection ends. ctx bounds the handshake.
func NewConn(ctx context.Context, rwc io.ReadWriteCloser, opts *DialOptions) (*Conn, error) {
	c, err := newLines(ctx, rwc, opts)
	if err != nil {
		return nil, fmt.Errorf("rpc: %w", err)
	}
	return c, nil
}

func newLines(ctx context.Context, rwc io.ReadWriteCloser, opts *DialOptions) (*Conn, error) {
	if opts == nil {
		opts = &DialOptions{}
	}
	if opts.Codec != nil && opts.Codec.Name() != "json" {
		rwc.Close()
		return nil, fmt.Errorf("lines carry only JSON, not %s: leave DialOptions.Codec nil", opts.Codec.Name())
	}
	cfg := opts.config()
	l := newLineLink(rwc, cfg.limits.Message, cfg.limits.Stall)
	cd := opts.Codec
	if cd == nil {
		cd = codec.JSON
	}
	c := newConn(ctx, cfg, cd, l, modeUnknown)
	c.out.single = true
	l.bind(c)
	return c.open(ctx)
}

// open begins a dialed connection.
func (c *Conn) open(ctx context.Context) (*Conn, error) {
	c.client = true
	plain := c.mode == modePlain
	c.start()
	if !plain {
		if err := c.sayHello(ctx); err != nil {
			c.end(err)
			c.link.cut() // without a word, which could take longer than ctx allows
			<-c.torn
			return nil, err
		}
	}
	return c, nil
}

func dialWebSocket(ctx context.Context, rawURL string, opts *DialOptions) (*Conn, error) {
	if opts == nil {
		opts = &DialOptions{}
	}
	cd := opts.Codec
	if cd == nil {
		cd = codec.JSON
	}
	if err := checkCodec(cd); err != nil {
		return nil, err
	}
	cfg := opts.config()
	hs := &handshake{base: http.DefaultTransport, stall: cfg.limits.Stall}
	client := http.Client{}
	if opts.HTTPClient != nil {
		client = *opts.HTTPClient
	}
	if client.Transport != nil {
		hs.base = client.Transport
	}
	client.Transport = hs
	var c *Conn
	ws, resp, err := websocket.Dial(ctx, rawURL, &websocket.DialOptions{
		HTTPClient:     &client,
		HTTPHeader:     opts.Header,
		Subprotocols:   []string{subprotocol(cd)},
		OnPingReceived: func(ctx context.Context, b []byte) bool { return hs.wire.pong(ctx, b) },
		OnPongReceived: func(context.Context, []byte) {
			c.heard.Store(true)
		},
	})
	if err != nil {
		return nil, refusedHandshake(resp, err)
	}
	m := modePlain
	if ws.Subprotocol() != "" {
		m = modeWirecall
	} else if cd.Name() != "json" {
		hs.wire.shut()
		return nil, fmt.Errorf("the server does not offer %s", subprotocol(cd))
	}
	c = newConn(ctx, cfg, cd, nil, m)
	c.link = newWSLink(hs.wire, ws, c, cfg.limits.Message)
	hs.wire.bind(c)
	return c.open(ctx)
}

// refusedHandshake says what the server answered, which is what one needs to
// know.
func refusedHandshake(resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return err
	}
	code := CodeUnavailable
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		code = CodeUnauthenticated
	case http.StatusForbidden:
		code = CodePermissionDenied
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
	return Errorf(code, "the server answered %s: %s", resp.Status, bytes.TrimSpace(body))
}

// A handshake is the transport of one WebSocket handshake. It puts a wireConn
// in the place of the upgraded connection, above TLS, whatever made that.
type handshake struct {
	base  http.RoundTripper
	stall time.Duration
	wire  *wireConn
}

func (h *handshake) RoundTrip(r *http.Request) (*http.Response, error) {
	var sock net.Conn
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { sock = info.Conn },
	}))
	resp, err := h.base.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	if rwc, ok := resp.Body.(io.ReadWriteCloser); ok {
		h.wire = newWireConn(rwc, rwc, sock, h.stall)
		resp.Body = h.wire
	}
	return resp, nil
}
