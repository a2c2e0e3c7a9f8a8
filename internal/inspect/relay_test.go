package inspect_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/inspect"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A backend is a server that is inspected.
type backend struct {
	*rpc.Server
	network rpctest.Network
	tokens  atomic.Pointer[string]      // the latest that came
	next    atomic.Pointer[backend]     // takes the place of this one if it is set
	header  atomic.Pointer[http.Header] // of the latest handshake
}

// newBackend returns a server with a method that echoes, one that streams for ever, and one
// that closes the connection.
func newBackend() *backend {
	b := new(backend)
	b.Server = rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Authenticate: func(ctx context.Context, token string) (context.Context, error) {
		b.tokens.Store(&token)
		return ctx, nil
	}})
	b.Register(rpc.Service{Name: "Test", Methods: []*rpc.Method{
		{Name: "Test.Echo", Params: []string{"text"}, New: func() (any, any) { return &echo{}, new(string) }, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*string) = c.Params.(*echo).Text
			return nil
		}},
		{Name: "Test.Note", Notify: true, New: func() (any, any) { return nil, nil }, Serve: func(context.Context, any, *rpc.Call) error { return nil }},
		{Name: "Test.Leave", New: func() (any, any) { return nil, nil }, Serve: func(ctx context.Context, _ any, _ *rpc.Call) error {
			return rpc.Peer(ctx).(*rpc.Conn).CloseWithReason("enough")
		}},
	}})
	return b
}

type echo struct{ Text string }

// Field implements gen1.Record.
func (e *echo) Field(int) any { return &e.Text }

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if next := b.next.Load(); next != nil {
		next.ServeHTTP(w, r)
		return
	}
	header := r.Header.Clone()
	b.header.Store(&header)
	b.Server.ServeHTTP(w, r)
}

// url serves the backend, and returns its URL of the scheme ws or tcp.
func (b *backend) url(t *testing.T, scheme string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	listener := b.network.Listener(ln)
	if scheme == "tcp" {
		go b.Serve(t.Context(), listener)
	} else {
		web := &httptest.Server{Listener: listener, Config: &http.Server{Handler: b}}
		web.Start()
		t.Cleanup(web.Close)
	}
	t.Cleanup(func() { b.Close() })
	return scheme + "://" + ln.Addr().String()
}

// socket serves the site of a target, and returns the URL of the page's socket.
func socket(t *testing.T, target *inspect.Target) string {
	t.Helper()
	web := httptest.NewServer(&inspect.Site{Config: target.Config("x"), Socket: target})
	t.Cleanup(web.Close)
	return "ws" + strings.TrimPrefix(web.URL, "http") + "/socket"
}

// dial connects to the page's socket, as the page does.
func dial(t *testing.T, target *inspect.Target) *rpc.Conn {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), socket(t, target), &rpc.DialOptions{Resume: target.Config("").Resume})
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

var echoMethod = &rpc.Method{Name: "Test.Echo", Service: "Test", Idempotent: true, Params: []string{"text"}}

var noteMethod = &rpc.Method{Name: "Test.Note", Service: "Test", Notify: true}

func callEcho(t *testing.T, conn rpc.Caller, text string) {
	t.Helper()
	var got string
	if err := conn.Call(t.Context(), &rpc.Call{Method: echoMethod, Params: &echo{text}, Result: &got}); err != nil || got != text {
		t.Errorf("%.20q came back as %.20q: %v", text, got, err)
	}
}

var _ gen1.Record = (*echo)(nil)

// The page's calls reach servers of each kind, large and in numbers, with a token and
// headers that the page does not have.
func TestRelay(t *testing.T) {
	for _, scheme := range []string{"ws", "tcp", "exec"} {
		t.Run(scheme, func(t *testing.T) {
			b := newBackend()
			target := &inspect.Target{URL: b.url(t, scheme), Header: http.Header{"X-Tenant": {"a"}}, Token: func(context.Context) (string, error) { return "secret", nil }}
			if scheme == "exec" {
				target.Start = func() (io.ReadWriteCloser, error) {
					program, pipe := net.Pipe()
					go b.ServeConn(t.Context(), program)
					return pipe, nil
				}
			}
			conn := dial(t, target)
			done := make(chan struct{})
			for range 100 {
				go func() {
					callEcho(t, conn, "hello")
					done <- struct{}{}
				}()
			}
			for range 100 {
				<-done
			}
			callEcho(t, conn, strings.Repeat("x", 900_000))
			if token := b.tokens.Load(); token == nil || *token != "secret" {
				t.Error("the token did not come")
			}
			if h := b.header.Load(); scheme == "ws" && (h == nil || h.Get("X-Tenant") != "a" || h.Get("Origin") != "") {
				t.Errorf("the server saw %v", h)
			}
		})
	}
}

// The page resumes its session through the process, with the token.
func TestRelayResumes(t *testing.T) {
	b := newBackend()
	conn := dial(t, &inspect.Target{URL: b.url(t, "ws"), Token: func(context.Context) (string, error) { return "secret", nil }})
	callEcho(t, conn, "before")
	other := ""
	b.tokens.Store(&other)
	states := make(chan rpc.State, 100)
	go func() {
		for st := range conn.States(t.Context()) {
			states <- st
		}
	}()
	b.network.Cut()
	for st := range states {
		if st.Phase == rpc.Detached {
			break
		}
	}
	callEcho(t, conn, "behind")
	if st := conn.State(); st.Session != 1 {
		t.Errorf("the session is another: %+v", st)
	}
	if token := b.tokens.Load(); *token != "secret" {
		t.Errorf("the resume had the token %q", *token)
	}
}

// A server that no longer has the session gets the token with the next one, which begins on
// the same socket.
func TestRelayBeginsAnew(t *testing.T) {
	old, next := newBackend(), newBackend()
	defer next.Close()
	conn := dial(t, &inspect.Target{URL: old.url(t, "ws"), Token: func(context.Context) (string, error) { return "secret", nil }})
	callEcho(t, conn, "before")
	old.next.Store(next)
	old.network.Cut()
	for conn.State().Session == 1 {
		callEcho(t, conn, "behind")
	}
	if token := next.tokens.Load(); token == nil || *token != "secret" {
		t.Error("the new session began without the token")
	}
}

// The server's goodbye reaches the page, with its reason.
func TestRelayEnds(t *testing.T) {
	b := newBackend()
	conn := dial(t, &inspect.Target{URL: b.url(t, "ws")})
	conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Leave"}})
	<-conn.Done()
	if closed, ok := errors.AsType[*rpc.CloseError](conn.Err()); !ok || closed.Code != 1000 || closed.Reason != "enough" {
		t.Errorf("the page was told %v", conn.Err())
	}
}

// The page is told why there is no connection, without passwords.
func TestRelayFails(t *testing.T) {
	nothing, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	nothing.Close()
	forbids := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	defer forbids.Close()
	for _, c := range []struct {
		target *inspect.Target
		want   string
	}{
		{&inspect.Target{URL: "ws://user:hunter2@" + nothing.Addr().String() + "/?key=hunter2"}, "connection refused"},
		{&inspect.Target{URL: "tcp://" + nothing.Addr().String()}, "connection refused"},
		{&inspect.Target{URL: forbids.URL + "/?key=hunter2"}, "the server answered 403 Forbidden"},
		{&inspect.Target{URL: newBackend().url(t, "ws"), Token: func(context.Context) (string, error) { return "", errors.New("no token") }}, ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		conn, err := rpc.Dial(ctx, socket(t, c.target), nil)
		cancel()
		if err == nil {
			conn.Close()
			t.Errorf("%s: connected", c.target.URL)
		} else if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", c.target.URL, err, c.want)
		}
	}
}

// A page of another origin cannot use the socket, nor can one whose name leads here.
func TestSocketRefusesForeigners(t *testing.T) {
	b := newBackend()
	url := socket(t, &inspect.Target{URL: b.url(t, "ws"), Token: func(context.Context) (string, error) { return "secret", nil }})
	for _, header := range []http.Header{{"Origin": {"http://evil.example.com"}}, {"Origin": {"null"}}, {"Host": {"evil.example.com"}}, {"Host": {"evil.example.com"}, "Origin": {"http://evil.example.com"}}} {
		conn, err := rpc.Dial(t.Context(), url, &rpc.DialOptions{Header: header})
		if err == nil {
			conn.Close()
		}
		if rpc.CodeOf(err) != rpc.CodePermissionDenied {
			t.Errorf("with %v: %v", header, err)
		}
	}
	if b.header.Load() != nil {
		t.Error("the server was called")
	}
}
