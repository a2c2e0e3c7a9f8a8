//go:build !js

package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// net/http requests a tunnel (CONNECT) of an HTTP proxy only for TLS to the server.
// Otherwise it sends the request itself to the proxy, and few proxies forward a request
// that upgrades its connection. So this file makes tunnels for handshakes of ws://.

// maxProxyAnswer is how many bytes of a proxy's answer to CONNECT are read.
const maxProxyAnswer = 64 << 10

// errProxyURL replaces net/http's error, which quotes the URL with its password.
var errProxyURL = errors.New("the proxy of the HTTPClient's Transport, or of HTTP_PROXY or HTTPS_PROXY, has no valid URL")

// tunneled returns the http.RoundTripper for a handshake: base, or a copy of it whose
// connections go through tunnels of the proxy that base has for r.
func tunneled(base http.RoundTripper, r *http.Request) (http.RoundTripper, error) {
	t, ok := base.(*http.Transport)
	if !ok || t.Proxy == nil {
		return base, nil
	}
	proxy, err := t.Proxy(r)
	switch {
	case err != nil:
		return nil, errProxyURL
	case proxy == nil || r.URL.Scheme != "http" || proxy.Scheme != "http" && proxy.Scheme != "https":
		return base, nil // SOCKS is a tunnel for everything
	}
	through := t.Clone()
	through.Proxy = nil
	through.DisableKeepAlives = true // its one connection is the WebSocket's
	through.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) {
		return dialTunnel(ctx, t, proxy, addr)
	}
	return through, nil
}

// dialTunnel opens a connection to addr through a proxy, which is dialed as t would
// dial it.
func dialTunnel(ctx context.Context, t *http.Transport, proxy *url.URL, addr string) (net.Conn, error) {
	conn, err := dialProxy(ctx, t, proxy)
	if err != nil {
		return nil, fmt.Errorf("the proxy cannot be reached: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	err = askForTunnel(ctx, conn, t, proxy, addr)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// dialProxy opens a connection to the proxy itself.
func dialProxy(ctx context.Context, t *http.Transport, proxy *url.URL) (net.Conn, error) {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	}
	addr := net.JoinHostPort(proxy.Hostname(), port)
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	if proxy.Scheme == "https" && t.DialTLSContext != nil {
		return t.DialTLSContext(ctx, "tcp", addr)
	}
	conn, err := dial(ctx, "tcp", addr)
	if err != nil || proxy.Scheme != "https" {
		return conn, err
	}
	cfg := &tls.Config{}
	if t.TLSClientConfig != nil {
		cfg = t.TLSClientConfig.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = proxy.Hostname()
	}
	cfg.NextProtos = nil // HTTP/1.1
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// askForTunnel turns a connection to the proxy into a tunnel to addr.
func askForTunnel(ctx context.Context, conn net.Conn, t *http.Transport, proxy *url.URL, addr string) error {
	h, err := connectHeader(ctx, t, proxy, addr)
	if err != nil {
		return err
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: h}
	if err := req.Write(conn); err != nil {
		return err
	}
	// No more than the answer is buffered: the server sends nothing before it is asked.
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxProxyAnswer)), req)
	if err != nil {
		return fmt.Errorf("the proxy's answer: %w", err)
	}
	if t.OnProxyConnectResponse != nil {
		if err := t.OnProxyConnectResponse(ctx, proxy, req, resp); err != nil {
			return err
		}
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the proxy answered %s", resp.Status)
	}
	return nil
}

// connectHeader returns the header of t for a CONNECT request, with the proxy's
// credentials.
func connectHeader(ctx context.Context, t *http.Transport, proxy *url.URL, addr string) (http.Header, error) {
	h := t.ProxyConnectHeader.Clone()
	if t.GetProxyConnectHeader != nil {
		var err error
		if h, err = t.GetProxyConnectHeader(ctx, proxy, addr); err != nil {
			return nil, err
		}
		h = h.Clone()
	}
	if h == nil {
		h = make(http.Header)
	}
	if proxy.User != nil && h.Get("Proxy-Authorization") == "" {
		password, _ := proxy.User.Password()
		h.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
	}
	return h, nil
}
