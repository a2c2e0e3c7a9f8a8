package mcprpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/internal/toolbox"
	"github.com/wirecall/wirecall/rpc"
)

// versions of the protocol that clients speak: the newest, and one with a handshake.
var versions = []string{"", "2025-06-18"}

// newHandler returns a Handler for a server of b with the options.
func newHandler(t *testing.T, b *box, o *rpc.ServerOptions) (http.Handler, *rpc.Server) {
	t.Helper()
	o.Describe = true
	srv := rpc.NewServer(o)
	srv.Register(toolbox.ToolboxService(b))
	t.Cleanup(func() { srv.Close() })
	h, err := Handler(srv, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h, srv
}

// authenticate is a ServerOptions.Authenticate.
func authenticate(ctx context.Context, token string) (context.Context, error) {
	switch token {
	case "ann's":
		return context.WithValue(ctx, userKey{}, "ann"), nil
	case "bob's":
		return nil, rpc.Errorf(rpc.CodePermissionDenied, "bob is away")
	case "":
		if ctx.Value(userKey{}) != nil { // of a middleware
			return ctx, nil
		}
	}
	return nil, rpc.Errorf(rpc.CodeUnauthenticated, "no such token")
}

// A call has the credentials of its request, and passes what the server has around calls.
func TestHandlerCalls(t *testing.T) {
	var seen atomic.Int32
	h, _ := newHandler(t, newBox(), &rpc.ServerOptions{Authenticate: authenticate, ServeInterceptors: []rpc.Interceptor{
		func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
			seen.Add(1)
			if ctx.Value(userKey{}) == nil {
				t.Errorf("%s is called by nobody", c.Method.Name)
			}
			return next(ctx, c)
		}}})
	url := serve(t, h)
	behind := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, "cleo")))
	}))
	for _, version := range versions {
		for _, tt := range []struct{ url, token, want string }{{url, "Bearer ann's", "ann"}, {behind, "", "cleo"}} {
			header, meta := http.Header{}, mcp.Meta{"traceparent": "00-1-2-01"}
			if tt.token != "" {
				header.Set("Authorization", tt.token)
				header.Set("Traceparent", "of the request, not of the call")
			} else {
				header.Set("Traceparent", "00-1-2-01")
				meta = nil
			}
			c, err := dial(t, tt.url, version, header, nil)
			if err != nil {
				t.Fatal(err)
			}
			list, err := c.ListTools(t.Context(), nil)
			if err != nil || len(list.Tools) != 13 {
				t.Fatalf("%d tools, %v", len(list.Tools), err)
			}
			seen.Store(0)
			r, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "Toolbox_Who", Meta: meta})
			if err != nil || text(t, r) != `{"result":"`+tt.want+` 00-1-2-01"}` || seen.Load() != 1 {
				t.Errorf("version %q: %v, %v, seen by %d interceptors", version, r, err, seen.Load())
			}
		}
	}
}

// A request whose credentials are not accepted is refused as HTTP has it.
func TestHandlerRefuses(t *testing.T) {
	h, srv := newHandler(t, newBox(), &rpc.ServerOptions{Authenticate: authenticate})
	url := serve(t, h)
	for _, tt := range []struct {
		method, origin, token string
		status                int
		body                  string
	}{
		{"POST", "", "", 401, "no such token"},
		{"POST", "", "Bearer eve's", 401, "no such token"},
		{"POST", "", "Basic ann's", 401, "no such token"},
		{"POST", "", "Bearer bob's", 403, "bob is away"},
		{"POST", "https://example.com", "Bearer ann's", 403, "cross-origin request detected…"},
		{"POST", "", "Bearer ann's", 200, ""},
		{"GET", "", "", 405, "Method Not Allowed"},
	} {
		status, header, body := post(t, tt.method, url, http.Header{"Authorization": {tt.token}, "Origin": {tt.origin}})
		if status != tt.status || tt.body != "" && !like(tt.body, strings.TrimSpace(body)) {
			t.Errorf("%s of %s with %s: %d, %s", tt.method, tt.origin, tt.token, status, body)
		}
		if (header.Get("WWW-Authenticate") == "Bearer") != (status == 401) {
			t.Errorf("status %d has WWW-Authenticate %q", status, header.Get("WWW-Authenticate"))
		}
	}
	srv.Close()
	if status, header, body := post(t, "POST", url, http.Header{"Authorization": {"Bearer ann's"}}); status != 503 || header.Get("Retry-After") != "1" {
		t.Errorf("a server that was closed answers %d, %s", status, body)
	}
}

// post sends a request for the list of tools.
func post(t *testing.T, method, url string, header http.Header) (status int, _ http.Header, body string) {
	t.Helper()
	return request(t, method, url, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, header)
}

// request sends a request with a message.
func request(t *testing.T, method, url, message string, header http.Header) (status int, _ http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		if values[0] != "" {
			r.Header[name] = values
		}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// The requests of agents count as connections.
func TestHandlerLimit(t *testing.T) {
	b := newBox()
	h, _ := newHandler(t, b, &rpc.ServerOptions{MaxConnections: 1})
	url := serve(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"Toolbox_Wait"}}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := http.DefaultClient.Do(r); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}()
	<-b.waiting
	if status, header, body := post(t, "POST", url, nil); status != 503 || header.Get("Retry-After") != "1" {
		t.Errorf("a second request is answered with %d, %s", status, body)
	}
	cancel()
	<-b.ended
	<-done
}

// A call in flight is answered although the server shuts down.
func TestHandlerShutdown(t *testing.T) {
	b := newBox()
	release := make(chan struct{})
	b.tick = func(_ context.Context, n int64) error {
		if n == 1 {
			close(b.waiting)
			<-release
		}
		return nil
	}
	h, srv := newHandler(t, b, &rpc.ServerOptions{})
	url := serve(t, h)
	c, err := dial(t, url, "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan *mcp.CallToolResult, 1)
	go func() {
		r, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "Toolbox_Count", Arguments: json.RawMessage(`{"after":0}`)})
		if err != nil {
			t.Error(err)
		}
		answer <- r
	}()
	<-b.waiting
	down := make(chan error, 1)
	go func() { down <- srv.Shutdown(t.Context()) }()
	for status := 0; status != 503; { // until the shutdown has begun
		status, _, _ = post(t, "POST", url, nil)
	}
	close(release)
	if got := text(t, <-answer); !strings.Contains(got, `{"N":100}`) {
		t.Errorf("the call is answered with %s", got)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// A request for another host on a loopback address is one of a page whose name leads there.
func TestHandlerRebinding(t *testing.T) {
	h, _ := newHandler(t, newBox(), &rpc.ServerOptions{})
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "evil.example.com"
		h.ServeHTTP(w, r)
	}))
	if status, _, body := post(t, "POST", url, http.Header{}); status != 403 {
		t.Errorf("answered %d, %s", status, body)
	}
}

// A client that cancels a call, or goes away, cancels it on the server.
func TestHandlerCancels(t *testing.T) {
	b := newBox()
	h, _ := newHandler(t, b, &rpc.ServerOptions{})
	url := serve(t, h)
	for _, how := range []string{"cancel", "close"} {
		for _, version := range versions {
			ctx, leave := context.WithCancel(t.Context())
			transport := &http.Transport{}
			c, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{
				Endpoint: url, DisableStandaloneSSE: true, MaxRetries: -1, HTTPClient: &http.Client{Transport: closable{transport, ctx}},
			}, &mcp.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			called, cancel := context.WithCancel(t.Context())
			go func() {
				<-b.waiting
				if how == "close" {
					leave()
				} else {
					cancel()
				}
			}()
			if _, err := c.CallTool(called, &mcp.CallToolParams{Name: "Toolbox_Wait"}); err == nil {
				t.Errorf("%s, version %q: the call has an answer", how, version)
			}
			if err := <-b.ended; !errors.Is(err, context.Canceled) {
				t.Errorf("%s, version %q: the handler ended with %v", how, version, err)
			}
			cancel()
			leave()
			c.Close()
		}
	}
}

// closable is a transport whose requests end with a context.
type closable struct {
	*http.Transport
	ctx context.Context
}

func (c closable) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	context.AfterFunc(c.ctx, cancel)
	return c.Transport.RoundTrip(r.WithContext(ctx))
}

// Clients of earlier versions, whose transport does not close the request, cancel a call by
// a notification; nobody cancels the calls of others.
func TestHandlerCancelNotification(t *testing.T) {
	b := newBox()
	h, _ := newHandler(t, b, &rpc.ServerOptions{})
	url := serve(t, h)
	send := func(session, body string) (int, http.Header) {
		header := http.Header{"Mcp-Session-Id": {session}, "Mcp-Protocol-Version": {"2025-06-18"}}
		if session == "" {
			header = nil
		}
		status, got, text := request(t, "POST", url, body, header)
		if status/100 != 2 {
			t.Errorf("%s: %d, %s", body, status, text)
		}
		return status, got
	}
	_, header := send("", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	session := header.Get("Mcp-Session-Id")
	done := make(chan struct{})
	go func() {
		defer close(done)
		send(session, `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"Toolbox_Wait"}}`)
	}()
	<-b.waiting
	send(session, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`)
	if err := <-b.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler ended with %v", err)
	}
	<-done
}

// A notification ends the call that it names, of the same client, and no other.
func TestCancelTable(t *testing.T) {
	table := cancelTable{calls: map[callName]context.CancelFunc{}}
	calls := map[string]func(){}
	var canceled []string
	call := func(session, id string) {
		calls[session+id] = table.read(session, []byte(`{"id":`+id+`,"method":"tools/call"}`), func() { canceled = append(canceled, session+id) })
	}
	cancel := func(session, id string) {
		table.read(session, []byte(`{"method":"notifications/cancelled","params":{"requestId":`+id+`}}`), nil)()
	}
	call("s", "1")
	call("s", `"1"`)
	call("other", "1")
	call("other", "1") // twice the same id
	calls["other1"]()  // leaves the first
	table.read("s", []byte(`{"id":2,"method":"tools/list"}`), nil)()
	table.read("s", []byte(`[{"method":"notifications/cancelled","params":{"requestId":1}}]`), nil)()
	cancel("third", "1")
	cancel("s", "2")
	cancel("s", "1")
	if !slices.Equal(canceled, []string{"s1"}) {
		t.Errorf("canceled %v", canceled)
	}
	calls["s1"]()
	cancel("s", "1")
	cancel("s", `"1"`)
	if !slices.Equal(canceled, []string{"s1", `s"1"`}) {
		t.Errorf("canceled %v", canceled)
	}
	calls[`s"1"`]()
	if len(table.calls) != 1 {
		t.Errorf("%d calls are left", len(table.calls))
	}
}

// A notification is served although its request has been answered.
func TestHandlerNotifies(t *testing.T) {
	b := newBox()
	h, _ := newHandler(t, b, &rpc.ServerOptions{})
	for _, version := range versions {
		c, err := dial(t, serve(t, h), version, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, call(t, c, "Toolbox_Note", `{"text":"hello"}`)); got != "Sent: there is no answer to it." {
			t.Error(got)
		}
		if got := <-b.notes; got != "hello" {
			t.Errorf("noted %q", got)
		}
	}
}

// The progress of a call stands in the response to its request.
func TestHandlerProgress(t *testing.T) {
	h, _ := newHandler(t, newBox(), &rpc.ServerOptions{})
	url := serve(t, h)
	for _, version := range versions {
		reports := make(chan string, 1000)
		c, err := dial(t, url, version, nil, &mcp.ClientOptions{ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			reports <- r.Params.Message
		}})
		if err != nil {
			t.Fatal(err)
		}
		params := &mcp.CallToolParams{Name: "Toolbox_Count", Arguments: json.RawMessage(`{"after":0}`)}
		params.SetProgressToken(7)
		if _, err := c.CallTool(t.Context(), params); err != nil {
			t.Fatal(err)
		}
		if got := <-reports; got != `{"N":1}` {
			t.Errorf("version %q: reported %s", version, got)
		}
	}
}

// An interceptor of the server decides who may call what, as for any client.
func TestHandlerInterceptor(t *testing.T) {
	h, _ := newHandler(t, newBox(), &rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{
		func(_ context.Context, c *rpc.Call, _ rpc.Handler) error {
			return rpc.Errorf(rpc.CodePermissionDenied, "%s is not for agents", c.Method.Name)
		}}})
	c, err := dial(t, serve(t, h), "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := call(t, c, "Toolbox_Who", `{}`); !r.IsError || text(t, r) != "Toolbox.Who is not for agents (code -32015)" {
		t.Error(text(t, r))
	}
}

// A server that has nothing for agents is an error when the program starts.
func TestHandlerNeeds(t *testing.T) {
	for _, tt := range []struct {
		server  *rpc.ServerOptions
		options *Options
		want    string
	}{
		{nil, nil, "mcprpc: the server does not describe itself: set ServerOptions.Describe"},
		{&rpc.ServerOptions{Describe: true}, nil, errNoTools.Error()},
		{&rpc.ServerOptions{Describe: true}, &Options{Only: []string{"["}}, `mcprpc: Options.Only has "[": syntax error in pattern`},
	} {
		if _, err := Handler(rpc.NewServer(tt.server), tt.options); err == nil || err.Error() != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}
