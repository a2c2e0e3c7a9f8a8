package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/post"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// Dial connects to a server. The scheme of the URL is ws or wss for a WebSocket (http
// and https mean the same), and tcp or unix for lines over a socket: tcp://host:port,
// unix:///path/to/socket. A nil opts means the defaults.
//
// If an option is invalid, the error names its field; if two contradict each other, it
// names both. See DialOptions.Validate.
//
// ctx bounds only the dialing. Its values are in the contexts of the handlers of
// DialOptions.Services. If the socket is lost, the client reconnects, as
// DialOptions.Reconnect says. It ends with Close, or when the server ends it for good: with close
// code 1000, which Close in one of the server's handlers sends, with a close code of
// 4500 or more, or with status 401 or 403.
//
// If the server does not speak wirecall, the connection is plain JSON-RPC 2.0: calls
// and notifications work, and so do the streams that are declared as subscriptions.
// Others fail with CodeNeedsWirecall. A browser connects only to servers that select
// the subprotocol.
//
// Errors quote the URL without userinfo and query, which may hold passwords. If the
// server refuses the handshake, the error is an *Error with CodeUnauthenticated for
// 401, CodePermissionDenied for 403, and CodeUnavailable for any other status, as for a
// server that cannot be reached. RetryAfter returns when to dial again, if the server
// says so.
func Dial(ctx context.Context, rawURL string, opts *DialOptions) (*Conn, error) {
	d, err := newDialer(rawURL, opts)
	if err != nil {
		return nil, dialError(rawURL, err)
	}
	c := newConn(d.config)
	r := newRedialer(c, d, context.WithoutCancel(ctx))
	for n := 0; ; n++ {
		err := r.connect(ctx)
		if err == nil {
			if len(c.observers.state) > 0 {
				go c.observers.watchState(c)
			}
			return c, nil
		}
		if !r.options.RetryFirst || isFinal(err) || ctx.Err() != nil {
			return nil, dialError(rawURL, err)
		}
		t := time.NewTimer(max(r.options.delay(n), serverDelay(err)))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, dialError(rawURL, err)
		}
	}
}

// A dialer makes the transports of one connection.
type dialer struct {
	url     *url.URL
	opts    *DialOptions // a copy, with the defaults of Reconnect
	config  *config
	codec   codec.Codec
	netDial func(ctx context.Context, network, addr string) (net.Conn, error)

	transport *http.Transport // dials with netDial; nil without DialOptions.NetDial
}

func newDialer(rawURL string, opts *DialOptions) (*dialer, error) {
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	var o DialOptions
	if opts != nil {
		o = *opts
	}
	if err := firstError(o.Validate(), o.validateFor(u.Scheme)); err != nil {
		return nil, err
	}
	o.Reconnect = o.Reconnect.withDefaults()
	d := &dialer{url: u, opts: &o, codec: o.Codec, netDial: o.NetDial}
	if d.codec == nil {
		d.codec = codec.JSON
	}
	if d.netDial != nil {
		d.transport = &http.Transport{DialContext: d.dialForHandshake, TLSHandshakeTimeout: d.opts.Limits.withDefaults().HandshakeTimeout, IdleConnTimeout: 10 * time.Second}
	} else {
		d.netDial = new(net.Dialer).DialContext
	}
	d.config = o.conn().config()
	d.config.codecs[d.codec.Format()] = d.codec
	if o.Resume {
		d.config.ReplayBytes = d.config.Limits.ReplayBytes
	}
	return d, nil
}

// dial makes a transport, with a WebSocket handshake if the URL's scheme needs one.
func (d *dialer) dial(ctx context.Context, u *url.URL) (transport.Transport, session.Mode, error) {
	if u.Scheme != "tcp" && u.Scheme != "unix" {
		return d.dialWebSocket(ctx, u)
	}
	conn, err := d.netDial(ctx, u.Scheme, u.Host+u.Path)
	if err != nil {
		return nil, 0, err
	}
	t, m := d.opts.conn().overByteStreams(conn, d.config)
	return t, m, nil
}

// parseURL parses a URL to dial. Its errors quote nothing of a URL that may hold a
// password.
func parseURL(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil && strings.ContainsAny(rawURL, secretMarks):
		return nil, errors.New("it cannot be parsed; is everything in it escaped?")
	case err != nil:
		return nil, netError(err)
	case u.Scheme == "" || u.Opaque != "":
		return nil, errors.New("the URL must begin with ws://, wss://, http://, https://, tcp:// or unix://")
	}
	return u, nil
}

// secretMarks are characters of which every URL with userinfo or a query has one.
const secretMarks = "@?"

// shownURL returns a URL as errors quote it: without userinfo, query and fragment,
// which may hold passwords.
func shownURL(rawURL string) string {
	u, err := url.Parse(rawURL)
	switch {
	case !strings.ContainsAny(rawURL, secretMarks+"#"):
		return rawURL
	case err != nil || u.Opaque != "":
		return "the URL given"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}

// dialError returns the error of a failed Dial, with the URL and the cause.
func dialError(rawURL string, err error) error {
	code := CodeUnavailable
	var retry time.Duration
	if e, ok := errors.AsType[*Error](err); ok {
		code, retry = e.Code, e.Retry
	}
	return &Error{Code: code, Message: fmt.Sprintf("rpc: dial %s: %v", shownURL(rawURL), err), Retry: retry, ran: fault.No, cause: err}
}

// netError returns err without the URL that net/http and net/url prepend.
func netError(err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		return inner.Err
	}
	return err
}

// NewConn makes a connection over a pair of byte streams whose other end a server
// serves with ServeConn. Each message is JSON, delimited as opts.Framing says. A nil opts
// means the defaults; if an option is invalid, the error names its field. ctx bounds the
// handshake, and its values are in the contexts of handlers. The connection ends when
// rwc does. NewConn closes rwc if it fails, and the connection closes it when it ends.
func NewConn(ctx context.Context, rwc io.ReadWriteCloser, opts *ConnOptions) (*Conn, error) {
	if opts == nil {
		opts = &ConnOptions{}
	}
	if err := opts.Validate(); err != nil {
		rwc.Close()
		return nil, fmt.Errorf("rpc: %w", err)
	}
	cfg := opts.config()
	t, m := opts.overByteStreams(rwc, cfg)
	s := session.New(ctx, &cfg.Settings, wire.JSON, t, m, nil)
	if err := public(s, s.Open(ctx, false)); err != nil {
		return nil, fmt.Errorf("rpc: %w", err)
	}
	connOf(s).observeSession(s, nil)
	s.Start()
	return connOf(s), nil
}

// handshakeKey is the context key of the handshake's own context.
type handshakeKey struct{}

// dialForHandshake is netDial for net/http. The context that net/http passes does not
// end with the handshake, so that a socket may serve a later request; this one also
// ends with the handshake's context.
func (d *dialer) dialForHandshake(ctx context.Context, network, addr string) (net.Conn, error) {
	if handshake, ok := ctx.Value(handshakeKey{}).(context.Context); ok {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(handshake, func() { cancel(context.Cause(handshake)) })()
	}
	return d.netDial(ctx, network, addr)
}

// header returns the headers of a WebSocket handshake.
func (d *dialer) header(ctx context.Context) (http.Header, error) {
	if d.opts.HeaderFunc == nil {
		return d.opts.Header, nil
	}
	all := make(http.Header)
	if err := addHeaders(ctx, all, d.config.Log, "DialOptions.HeaderFunc", d.opts.Header, d.opts.HeaderFunc); err != nil {
		return nil, fmt.Errorf("DialOptions.HeaderFunc: %w", err)
	}
	return all, checkHeader(all)
}

func (d *dialer) dialWebSocket(ctx context.Context, u *url.URL) (transport.Transport, session.Mode, error) {
	header, err := d.header(ctx)
	if err != nil {
		return nil, 0, err
	}
	o := &transport.DialOptions{
		Options: d.config.webSocketOptions(nil),
		Header:  header,
		Binary:  d.codec.Format() == wire.CBOR,
	}
	if !d.opts.Plain {
		o.Subprotocols = []string{subprotocol(d.codec)}
	}
	switch {
	case d.opts.HTTPClient != nil:
		o.Client = *d.opts.HTTPClient
	case d.opts.NetDial != nil:
		o.Client.Transport = d.transport
		ctx = context.WithValue(ctx, handshakeKey{}, ctx)
	}
	ws, resp, err := transport.Dial(ctx, u.String(), o)
	switch {
	case err != nil:
		return nil, 0, refusedHandshake(resp, netError(err))
	case ws.Subprotocol() != "":
		return ws, session.ModeWirecall, nil
	case d.codec.Format() != wire.JSON:
		ws.Close()
		return nil, 0, fmt.Errorf("the server does not offer %s", subprotocol(d.codec))
	}
	ws.Plain()
	return ws, session.ModePlain, nil
}

// refusalAdvice says what to do about a status with which servers answer a handshake that
// take POSTs only.
func refusalAdvice(status int) string {
	switch status {
	case http.StatusOK, http.StatusNoContent, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return "it made no WebSocket; if it takes JSON-RPC by POST, use rpc.NewHTTPCaller: "
	}
	return ""
}

// refusedHandshake returns the error of a handshake that the server answered with
// another status than 101.
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
	e := Errorf(code, "the server answered %s: %s", resp.Status, refusalAdvice(resp.StatusCode)+string(bytes.TrimSpace(body)))
	if resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests {
		e.Retry = post.RetryAfter(resp.Header.Get("Retry-After"))
	}
	return e
}
