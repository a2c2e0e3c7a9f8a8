package rpc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

const (
	switching   = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	wrongAccept = "Sec-WebSocket-Accept: AAAA\r\n\r\n"
)

// silences are servers that stop answering, each at another point of what a client
// waits for, and leave the socket open.
var silences = map[string]func(w io.Writer, accept string){
	"no answer":           func(io.Writer, string) {},
	"half a status":       func(w io.Writer, _ string) { fmt.Fprint(w, "HTTP/1.1 1") },
	"half a header":       func(w io.Writer, _ string) { fmt.Fprint(w, switching) },
	"a wrong accept":      func(w io.Writer, _ string) { fmt.Fprint(w, switching, wrongAccept) },
	"no upgrade":          func(w io.Writer, _ string) { fmt.Fprint(w, "HTTP/1.1 101 Switching Protocols\r\n\r\n") },
	"another subprotocol": func(w io.Writer, a string) { fmt.Fprint(w, switching, "Sec-WebSocket-Protocol: soap\r\n", a) },
	"compression that nobody asked for": func(w io.Writer, a string) {
		fmt.Fprint(w, switching, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n", a)
	},
	"a refusal without its end": func(w io.Writer, _ string) {
		fmt.Fprint(w, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 1000\r\n\r\nwe are")
	},
	"hello": func(w io.Writer, a string) {
		fmt.Fprint(w, switching, "Sec-WebSocket-Protocol: wirecall.v1.json\r\n", a)
	},
	"half a frame": func(w io.Writer, a string) {
		fmt.Fprint(w, switching, "Sec-WebSocket-Protocol: wirecall.v1.json\r\n", a, "\x81\x7e\x01\x00{")
	},
	"a close frame and then nothing": func(w io.Writer, a string) {
		fmt.Fprint(w, switching, "Sec-WebSocket-Protocol: wirecall.v1.json\r\n", a, "\x88\x02\x03\xf3")
	},
}

// Dial returns when its context ends, whatever a server leaves it waiting for, and
// leaves nothing behind: neither a socket nor a goroutine.
func TestDialDoesNotOutliveItsContext(t *testing.T) {
	for name, answer := range silences {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &rpctest.Network{}
				ln := network.Listen()
				defer ln.Close()
				go serveHandshakes(t, ln, answer)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begun := time.Now()
				conn, err := rpc.Dial(ctx, "ws://server", &rpc.DialOptions{NetDial: network.Dial})
				if err == nil { // plain mode: nothing more to wait for
					conn.Close()
				}
				if took := time.Since(begun); took > time.Second+100*time.Millisecond {
					t.Errorf("Dial took %v: %v", took, err)
				}
			})
		})
	}
}

// A server that falls silent in the middle of a reconnection is left for the next
// try, and calls go on there.
func TestReconnectLeavesASilentServer(t *testing.T) {
	for name, answer := range silences {
		if name == "another subprotocol" { // is plain JSON-RPC
			continue
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &rpctest.Network{}
				srv := server(nil, services()...)
				ln := network.Listen()
				go http.Serve(ln, srv)
				conn, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{NetDial: network.Dial})
				if err != nil {
					t.Fatal(err)
				}
				ln.Close()
				silent := network.Listen()
				go serveHandshakes(t, silent, answer)
				network.Cut()
				time.Sleep(time.Second) // it is being dialed
				silent.Close()
				ln = network.Listen()
				go http.Serve(ln, srv)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if sum, err := NewSubjectClient(conn).Add(ctx, 1, 2); err != nil || sum != 3 {
					t.Errorf("a minute after a silent server: %v, %v", err, conn.State())
				}
				conn.Close()
				srv.Close()
				ln.Close()
			})
		})
	}
}

// The timeout of an HTTPClient bounds the handshake, and not the connection.
func TestTimeoutOfHTTPClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, srv := &rpctest.Network{}, server(nil, services()...)
		client := &http.Client{Transport: &http.Transport{DialContext: network.Dial}, Timeout: 3 * time.Second}
		defer client.CloseIdleConnections()
		ln := network.Listen()
		go http.Serve(ln, srv)
		conn, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if st := conn.State(); st.Phase != rpc.Connected || st.Session != 1 {
			t.Errorf("a minute after the handshake: %+v", st)
		}
		conn.Close()
		srv.Close()
		ln.Close()

		ln = network.Listen()
		defer ln.Close()
		go serveHandshakes(t, ln, silences["no answer"])
		begun := time.Now()
		_, err = rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{HTTPClient: client})
		if took := time.Since(begun); took != client.Timeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial took %v: %v", took, err)
		}
	})
}

// An error of Dial says how long the server wants to be left alone.
func TestDialSaysWhenToDialAgain(t *testing.T) {
	const hour = time.Hour
	for header, want := range map[string]time.Duration{
		"40": 40 * time.Second, "0": 0, "": 0, "-1": 0, "soon": 0, "1.5": 0,
		"7200": hour, "4294967296": hour, "99999999999999999999": hour,
		"Fri, 31 Dec 1999 23:59:59 GMT": 0, "Fri, 31 Dec 9999 23:59:59 GMT": hour,
	} {
		ts := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		_, err := rpc.Dial(t.Context(), ts.URL, nil)
		if d, ok := rpc.RetryAfter(err); d != want || ok != (want > 0) {
			t.Errorf("Retry-After %q: %v, %v, want %v", header, d, ok, want)
		}
	}
	hello := rpctest.Network{}
	ln := hello.Listen()
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			bufio.NewReader(conn).ReadString('\n')
			fmt.Fprintln(conn, `{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"full","retry":1500}}`)
		}
	}()
	_, err := rpc.Dial(t.Context(), "tcp://server", &rpc.DialOptions{NetDial: hello.Dial})
	if d, _ := rpc.RetryAfter(err); d != 1500*time.Millisecond {
		t.Errorf("hello: %v, %v", d, err)
	}
}

// NewConn returns when its context ends, also where closing the stream does not end
// what is being read from it, as with standard input.
func TestNewConnOverWhatDoesNotClose(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	near, far := net.Pipe()
	defer far.Close()
	defer near.Close()
	why := errors.New("enough")
	go func() {
		far.Read(make([]byte, 1)) // hello is on its way
		cancel(why)
		io.Copy(io.Discard, far)
	}()
	if _, err := rpc.NewConn(ctx, stuckPipe{near}, nil); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}
