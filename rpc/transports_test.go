package rpc_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// dial connects to url with opts, which serve Asked besides.
func dial(t *testing.T, url string, opts rpc.DialOptions) *rpc.Conn {
	t.Helper()
	opts.Services = serving()
	conn, err := rpc.Dial(t.Context(), url, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// serveHTTP serves h, which is a Server or something around it.
func serveHTTP(t *testing.T, h http.Handler) *httptest.Server {
	ts := httptest.NewServer(h)
	t.Cleanup(ts.Close)
	return ts
}

// dialWebSocket connects to a server over sockets, in plain mode.
func dialWebSocket(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return ws
}

// listen serves lines on an address.
func listen(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	srv, served := newInteropServer(t, nil), make(chan error)
	go func() { served <- srv.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		ln.Close()
		<-served
	})
	return ln
}

func TestEverythingOverWebSocket(t *testing.T) {
	ts := serveHTTP(t, newInteropServer(t, nil))
	for _, scheme := range []string{"ws", "http"} {
		t.Run(scheme, func(t *testing.T) {
			everything(t, dial(t, scheme+"://"+ts.Listener.Addr().String()+"/", rpc.DialOptions{}))
		})
	}
}

func TestEverythingInCBOR(t *testing.T) {
	ts := serveHTTP(t, newInteropServer(t, &rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}}))
	everything(t, dial(t, ts.URL, rpc.DialOptions{Codec: cbor.Codec}))
	everything(t, dial(t, ts.URL, rpc.DialOptions{})) // one server, both codecs
}

func TestEverythingOverTLS(t *testing.T) {
	ts := httptest.NewUnstartedServer(newInteropServer(t, nil))
	ts.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the client that hangs up
	ts.StartTLS()
	t.Cleanup(ts.Close)
	for name, client := range map[string]*http.Client{
		"wss":   ts.Client(),
		"https": {Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ts.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}},
	} {
		t.Run(name, func(t *testing.T) {
			everything(t, dial(t, name+"://"+ts.Listener.Addr().String(), rpc.DialOptions{HTTPClient: client}))
		})
	}
	_, err := rpc.Dial(t.Context(), ts.URL, nil)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error("a certificate that nobody trusts:", err)
	}
}

func TestEverythingOverTCP(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	everything(t, dial(t, "tcp://"+ln.Addr().String(), rpc.DialOptions{}))
}

func TestEverythingOverUnixSocket(t *testing.T) {
	t.Chdir(t.TempDir()) // its name may be longer than a socket's address
	listen(t, "unix", "s")
	everything(t, dial(t, "unix://s", rpc.DialOptions{}))
}

// The path of a URL is that of the socket, without its escapes.
func TestPathOfUnixSocket(t *testing.T) {
	for url, want := range map[string]string{
		"unix:///run/app.sock":       "/run/app.sock",
		"unix:///run/my app.sock":    "/run/my app.sock",
		"unix:///run/my%20app%25/%s": "",
		"unix:///run/my%20app%25/s":  "/run/my app%/s",
		"unix://run/app.sock":        "run/app.sock",
	} {
		var got string
		_, err := rpc.Dial(t.Context(), url, &rpc.DialOptions{NetDial: func(_ context.Context, network, addr string) (net.Conn, error) {
			got = addr
			return nil, net.ErrClosed
		}})
		if err == nil || got != want {
			t.Errorf("%s dials %q, want %q: %v", url, got, want, err)
		}
	}
}

func TestEverythingOverAPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		everything(t, rpctest.Pair(t.Context(), t, newInteropServer(t, nil), &rpc.ConnOptions{Services: serving()}))
	})
}

// stdio is standard input and output as one.
type stdio struct {
	io.Reader
	io.WriteCloser
}

// TestMain makes the test binary a server on standard input and output where it
// is asked to be one.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // panics and the like are what many tests are about
	if os.Getenv("RPC_TEST_STDIO") == "" {
		os.Exit(m.Run())
	}
	srv := rpc.NewServer(nil)
	srv.Register(InteropService(newInterop()))
	if err := srv.ServeConn(context.Background(), stdio{os.Stdin, os.Stdout}); err != io.EOF {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

func TestEverythingOverStdio(t *testing.T) {
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "RPC_TEST_STDIO=1")
	var complaints strings.Builder
	child.Stderr = &complaints
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := rpc.NewConn(t.Context(), stdio{out, in}, &rpc.ConnOptions{Services: serving()})
	if err != nil {
		t.Fatal(err, &complaints)
	}
	everything(t, conn)
	conn.Close()
	if err := child.Wait(); err != nil || complaints.Len() > 0 {
		t.Errorf("the child: %v: %s", err, &complaints)
	}
}

// What is piped into a server is answered, however soon the pipe ends.
func TestRequestsFromAPipe(t *testing.T) {
	const requests = 50
	var in strings.Builder
	for i := range requests {
		fmt.Fprintf(&in, `{"jsonrpc":"2.0","id":%d,"method":"Interop.Swap","params":["a","b"]}`+"\n", i)
	}
	ask := strings.TrimSuffix(in.String(), "\n")
	answered := func(t *testing.T, out []byte, err error) {
		if n := strings.Count(string(out), `"result"`); n != requests || err != nil {
			t.Errorf("%d of %d requests were answered: %v\n%s", n, requests, err, out)
		}
	}
	t.Run("stdio", func(t *testing.T) {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), "RPC_TEST_STDIO=1")
		child.Stdin = strings.NewReader(ask)
		out, err := child.Output()
		answered(t, out, err)
	})
	t.Run("TCP", func(t *testing.T) {
		conn, err := net.Dial("tcp", listen(t, "tcp", "127.0.0.1:0").Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, ask); err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).CloseWrite()
		out, err := io.ReadAll(conn)
		answered(t, out, err)
	})
}

func TestEverythingBehindAReverseProxy(t *testing.T) {
	ts := serveHTTP(t, newInteropServer(t, &rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}}))
	to, err := url.Parse(ts.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := serveHTTP(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		t.Run(cd.Name(), func(t *testing.T) {
			everything(t, dial(t, proxy.URL, rpc.DialOptions{Codec: cd}))
		})
	}
}

// A connection may end while it is being made, from wherever.
func TestConnectionEndsBeforeItBegins(t *testing.T) {
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrNoProgress)
	for range 100 {
		near, far := net.Pipe()
		if err := newInteropServer(t, nil).ServeConn(gone, far); err != io.ErrNoProgress {
			t.Fatal(err)
		}
		near.Close()
	}
}
