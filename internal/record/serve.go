package record

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// Serve proxies the connections of a listener until the context ends. Then it closes them
// and the files, which are complete. The end of the recorder is not written as one of the
// peers'.
func (r *Recorder) Serve(ctx context.Context, ln net.Listener) error {
	connections, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		r.quiet()
		cancel()
	})()
	serve := r.serveWeb
	if r.Target.Scheme == "tcp" || r.Target.Scheme == "unix" {
		serve = r.serveLines
	}
	err := serve(connections, ln)
	return errors.Join(err, r.finish())
}

func (r *Recorder) serveWeb(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	hs := &http.Server{
		ErrorLog:    log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			serving.Add(1)
			defer serving.Done()
			r.proxy(w, req)
		}),
	}
	defer context.AfterFunc(ctx, func() { hs.Close() })()
	err := hs.Serve(ln)
	r.quiet()
	cancel()
	serving.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// quiet has nothing written from now on.
func (r *Recorder) quiet() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

type postKey struct{}

// proxy passes on one request, and what is sent over the connection that it may become.
func (r *Recorder) proxy(w http.ResponseWriter, req *http.Request) {
	r.hidden.ofRequest(req)
	if req.Method == http.MethodPost {
		sent := &capture{ReadCloser: req.Body, max: r.MaxMessage}
		req.Body = sent
		req = req.WithContext(context.WithValue(req.Context(), postKey{}, sent))
	}
	r.web.ServeHTTP(w, req)
}

// rewrite aims a request at the server. A page that came through the proxy is the server's.
func (r *Recorder) rewrite(p *httputil.ProxyRequest) {
	target := url.URL{Scheme: strings.Replace(r.Target.Scheme, "ws", "http", 1), Host: r.Target.Host}
	p.SetURL(&target)
	p.Out.URL.RawQuery = strings.Trim(r.Target.RawQuery+"&"+p.In.URL.RawQuery, "&")
	p.Out.Header.Del("Sec-WebSocket-Extensions")
	if origin, err := url.Parse(p.In.Header.Get("Origin")); err == nil && origin.Host != "" && origin.Host == p.In.Host {
		p.Out.Header.Set("Origin", target.String())
	}
}

// answered reads along what follows the head of a response.
func (r *Recorder) answered(res *http.Response) error {
	if sent, ok := res.Request.Context().Value(postKey{}).(*capture); ok && res.StatusCode != http.StatusSwitchingProtocols {
		got := &capture{ReadCloser: res.Body, max: r.MaxMessage}
		got.closed = func() { r.post(sent, got, res.Header) }
		res.Body = got
		return nil
	}
	if body, ok := res.Body.(io.ReadWriteCloser); ok && res.StatusCode == http.StatusSwitchingProtocols {
		s := r.socket(res.Header.Get("Sec-WebSocket-Protocol"))
		res.Body = &tapped{body, s, s.frames(client), s.frames(server)}
	}
	return nil
}

// tapped is the server's end of a WebSocket, which is read along.
type tapped struct {
	io.ReadWriteCloser
	socket   *socket
	up, down *frameReader
}

func (t *tapped) Read(b []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(b)
	t.down.feed(b[:n])
	if err != nil {
		t.socket.end(server, 0)
	}
	return n, err
}

func (t *tapped) Write(b []byte) (int, error) {
	t.up.feed(b)
	return t.ReadWriteCloser.Write(b)
}

func (t *tapped) Close() error {
	t.socket.end(client, 0)
	return t.ReadWriteCloser.Close()
}

// capture keeps the beginning of what is read.
type capture struct {
	io.ReadCloser
	max    int
	read   bytes.Buffer
	size   int
	closed func()
}

func (c *capture) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.size += n
	c.read.Write(b[:min(n, max(0, c.max+1-c.read.Len()))])
	return n, err
}

func (c *capture) Close() error {
	if c.closed != nil {
		c.closed()
		c.closed = nil
	}
	return c.ReadCloser.Close()
}

// serveLines proxies connections that carry lines.
func (r *Recorder) serveLines(ctx context.Context, ln net.Listener) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		serving.Go(func() { r.relayLines(ctx, conn) })
	}
}

func (r *Recorder) relayLines(ctx context.Context, near net.Conn) {
	defer near.Close()
	address := r.Target.Host
	if r.Target.Scheme == "unix" {
		address = r.Target.Path
	}
	var d net.Dialer
	far, err := d.DialContext(ctx, r.Target.Scheme, address)
	if err != nil {
		r.Log(err.Error())
		return
	}
	defer far.Close()
	defer context.AfterFunc(ctx, func() { near.Close(); far.Close() })()
	s := r.socket("")
	s.lines = true
	var both sync.WaitGroup
	both.Go(func() { s.relay(client, near, far) })
	both.Go(func() { s.relay(server, far, near) })
	both.Wait()
}

// relay copies one direction of a connection that carries lines.
func (s *socket) relay(d direction, from, to net.Conn) {
	along := &lineReader{socket: s, direction: d}
	_, err := io.Copy(to, io.TeeReader(from, along))
	s.end(d, 0)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		half.CloseWrite()
		return
	}
	to.Close()
}
