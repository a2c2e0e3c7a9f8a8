package transport

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"
)

// What the peer takes is seen although the socket cannot be written to yet.
func TestProgressOfSockets(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			near, far := socketPair(t, network)
			c := newConn(near, near, &Options{Stall: time.Minute})
			(*byteStream)(c).Write(make([]byte, 64<<20))
			if done, err := c.Flush(false); done || err != nil {
				t.Fatalf("the socket takes 64 MiB at once: %v", err)
			}
			awaitProgress(t, c, far)
		})
	}
}

// So it is under TLS, where a write that waits says nothing about it.
func TestProgressUnderTLS(t *testing.T) {
	ts := httptest.NewTLSServer(nil) // for its certificate
	defer ts.Close()
	near, far := socketPair(t, "tcp")
	server := tls.Server(near, &tls.Config{Certificates: ts.TLS.Certificates})
	client := tls.Client(far, &tls.Config{InsecureSkipVerify: true})
	go client.Handshake()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	c := newConn(server, server, &Options{Stall: time.Minute})
	(*byteStream)(c).Write(make([]byte, 64<<20))
	flushed := make(chan error)
	go func() {
		_, err := c.Flush(true)
		flushed <- err
	}()
	awaitProgress(t, c, client)
	c.Close()
	if err := <-flushed; err == nil {
		t.Error("the flush has ended without an error")
	}
}

// awaitProgress reads from the other end of c until that is seen, more than once.
func awaitProgress(t *testing.T, c *conn, r io.Reader) {
	t.Helper()
	last, _ := c.Progress()
	for range 3 {
		now := last
		for now <= last && t.Context().Err() == nil {
			if _, err := io.ReadFull(r, make([]byte, 4<<10)); err != nil {
				t.Fatal(err)
			}
			runtime.Gosched()
			now, _ = c.Progress()
		}
		last = now
	}
}

func socketPair(t *testing.T, network string) (near, far net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		t.Chdir(t.TempDir())
		addr = "s"
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if far, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}
