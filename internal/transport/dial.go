//go:build !js

package transport

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"

	"github.com/coder/websocket"
)

// Dial makes a WebSocket handshake. ctx bounds the handshake only. If the server refuses it,
// the response is returned beside the error, with the beginning of its body.
func Dial(ctx context.Context, url string, o *DialOptions) (*WebSocket, *http.Response, error) {
	client := o.Client
	hs := &handshake{base: client.Transport, options: &o.Options}
	if hs.base == nil {
		hs.base = http.DefaultTransport
	}
	client.Transport = hs
	if client.Timeout > 0 { // coder/websocket would apply it to the connection, until release
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, client.Timeout)
		defer cancel()
		client.Timeout = 0
	}
	ws, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient:     &client,
		HTTPHeader:     o.Header,
		Host:           o.Header.Get("Host"),
		Subprotocols:   o.Subprotocols,
		OnPingReceived: func(ctx context.Context, b []byte) bool { return hs.conn.onPing(ctx, b) },
		OnPongReceived: func(ctx context.Context, b []byte) { hs.conn.onPong(ctx, b) },
	})
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, resp, err
	}
	hs.release()
	w := newWebSocket(hs.conn, ws, messageType(o.Binary), o.MaxFrame)
	w.first = !o.Binary
	return w, resp, nil
}

// A handshake is the http.RoundTripper of one WebSocket handshake. It replaces the
// upgraded connection, which is above TLS, by a conn.
type handshake struct {
	base    http.RoundTripper
	options *Options
	conn    *conn
	release func() bool // detaches conn from the request's context
}

func (h *handshake) RoundTrip(r *http.Request) (*http.Response, error) {
	var sock net.Conn
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { sock = info.Conn },
	}))
	base, err := tunneled(h.base, r)
	if err != nil {
		return nil, err
	}
	resp, err := base.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	if rwc, ok := resp.Body.(io.ReadWriteCloser); ok {
		h.conn = newConn(rwc, sock, h.options)
		h.release = context.AfterFunc(r.Context(), h.conn.Close) // net/http no longer applies it
		resp.Body = (*byteStream)(h.conn)
	}
	return resp, nil
}
