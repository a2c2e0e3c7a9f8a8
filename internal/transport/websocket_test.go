package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

var options = transport.Options{MaxFrame: 1 << 20, Stall: time.Minute}

// pair returns the two ends of a WebSocket.
func pair(t *testing.T, clientBinary, serverBinary bool) (client, server *transport.WebSocket) {
	t.Helper()
	accepted := make(chan *transport.WebSocket, 1)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := transport.Accept(w, r, "b", serverBinary, options)
		if err != nil {
			t.Error(err)
		}
		accepted <- ws
	}))
	t.Cleanup(ts.Close)
	client, _, err := transport.Dial(t.Context(), ts.URL, &transport.DialOptions{Options: options, Subprotocols: []string{"b"}, Binary: clientBinary})
	if err != nil {
		t.Fatal(err)
	}
	server = <-accepted
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func send(t *testing.T, from transport.Transport, frames ...string) {
	t.Helper()
	for _, f := range frames {
		if err := from.WriteFrame([]byte(f)); err != nil {
			t.Error(err)
		}
	}
	if done, err := from.Flush(true); !done || err != nil {
		t.Error(done, err)
	}
}

// Frames of all sizes cross in both directions, as they were written.
func TestWebSocket(t *testing.T) {
	client, server := pair(t, true, true)
	if client.Subprotocol() != "b" || server.Subprotocol() != "b" {
		t.Errorf("subprotocols %q and %q", client.Subprotocol(), server.Subprotocol())
	}
	frames := []string{"a", "", strings.Repeat("b", 5000), strings.Repeat("c", 1<<20)}
	for _, ends := range [][2]transport.Transport{{client, server}, {server, client}} {
		go send(t, ends[0], frames...)
		for _, want := range frames {
			got, err := ends[1].ReadFrame()
			if err != nil || string(got) != want {
				t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
			}
		}
	}
}

// A buffer that was taken is not read into again.
func TestTakeBuffer(t *testing.T) {
	client, server := pair(t, false, false)
	go send(t, client, "first", "second")
	first, err := server.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	if server.TakeBuffer(10) != nil {
		t.Error("a buffer over the limit was given")
	}
	if b := server.TakeBuffer(1 << 20); string(b) != "first" {
		t.Errorf("got %q", b)
	}
	if server.TakeBuffer(1<<20) != nil {
		t.Error("a buffer was given twice")
	}
	if second, err := server.ReadFrame(); err != nil || string(second) != "second" || string(first) != "first" {
		t.Errorf("%q and %q, %v", first, second, err)
	}
}

// A frame of another type is an error, of which the peer can be told, unless the peer
// is a plain one.
func TestFrameOfAnotherType(t *testing.T) {
	client, server := pair(t, true, false)
	send(t, client, "x")
	if _, err := server.ReadFrame(); err != (transport.FrameError{Message: "a frame is binary: this connection uses text"}) {
		t.Error(err)
	}
	client, server = pair(t, true, false)
	server.Plain()
	send(t, client, "x")
	if frame, err := server.ReadFrame(); err != nil || string(frame) != "x" {
		t.Errorf("plain: %q, %v", frame, err)
	}
}

// The close frame says why, in RFC 6455's codes to a plain peer, and with as much of the
// reason as fits.
func TestCloseHandshake(t *testing.T) {
	for _, test := range []struct {
		code, want transport.CloseCode
		plain      bool
	}{
		{transport.CloseNormal, 1000, false},
		{transport.CloseShutdown, 4001, false},
		{transport.CloseViolation, 4500, false},
		{transport.CloseNormal, 1000, true},
		{transport.CloseShutdown, 1001, true},
		{transport.CloseViolation, 1008, true},
	} {
		client, server := pair(t, false, false)
		if test.plain {
			server.Plain()
		}
		server.Bind(flusher{server})
		client.Bind(flusher{client})
		closed := make(chan struct{})
		go func() {
			server.CloseHandshake(test.code, strings.Repeat("é\xff", 100))
			close(closed)
		}()
		_, err := client.ReadFrame()
		e, ok := errors.AsType[transport.CloseError](err)
		if !ok || e.Code != test.want || e.Reason != strings.Repeat("é\ufffd", 24)+"é" {
			t.Errorf("%d, plain %v: %v", test.code, test.plain, err)
		}
		<-closed
		if server.Err() == nil {
			t.Error("a closed transport has no error")
		}
	}
}

// A flusher is an owner that flushes at once, if no more than one goroutine writes.
type flusher struct{ t transport.Transport }

func (f flusher) Kick()  { f.t.Flush(true) }
func (f flusher) Heard() {}

// serveRaw answers every connection with what is given, after its request.
func serveRaw(t *testing.T, answer string, after func()) *url.URL {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		http.ReadRequest(bufio.NewReader(conn))
		io.WriteString(conn, answer)
		if after != nil {
			after()
			io.Copy(io.Discard, conn)
		}
	}()
	return &url.URL{Scheme: "http", Host: ln.Addr().String()}
}

func throughProxy(ctx context.Context, proxy *url.URL) error {
	o := &transport.DialOptions{Options: options}
	o.Client.Transport = &http.Transport{Proxy: http.ProxyURL(proxy)}
	_, _, err := transport.Dial(ctx, "ws://127.0.0.1:1", o)
	return err
}

func TestDialSaysWhatTheProxyAnswered(t *testing.T) {
	for answer, want := range map[string]string{
		"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n":  "the proxy answered 407 Proxy Authentication Required",
		"SSH-2.0-OpenSSH\r\n":                                 "the proxy's answer: malformed HTTP response",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<17): "the proxy's answer: unexpected EOF",
	} {
		if err := throughProxy(t.Context(), serveRaw(t, answer, nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A proxy that answers nothing blocks no client for longer than its context.
func TestDialLeavesASilentProxy(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("enough")
	proxy := serveRaw(t, "", func() { cancel(left) })
	if err := throughProxy(ctx, proxy); !errors.Is(err, left) {
		t.Errorf("got %v, want the cause of the context's end", err)
	}
}
