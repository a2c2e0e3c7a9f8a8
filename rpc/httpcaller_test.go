package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// overHTTP is a Caller and what it has sent to its server, in memory.
type overHTTP struct {
	*rpc.HTTPCaller
	network *rpctest.Network

	mu     sync.Mutex
	bodies []string
}

// httpCaller returns a caller of h. opts may be nil.
func httpCaller(t *testing.T, h http.Handler, opts *rpc.HTTPOptions) *overHTTP {
	t.Helper()
	o := &overHTTP{network: &rpctest.Network{}}
	tr := &http.Transport{DialContext: o.network.Dial}
	hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		o.mu.Lock()
		o.bodies = append(o.bodies, string(body))
		o.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		h.ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	ln := o.network.Listen()
	go func() { defer close(done); hs.Serve(ln) }()
	t.Cleanup(func() { hs.Close(); tr.CloseIdleConnections(); <-done })
	var options rpc.HTTPOptions
	if opts != nil {
		options = *opts
	}
	client := &http.Client{Transport: tr}
	if options.HTTPClient != nil {
		client.Jar = options.HTTPClient.Jar
	}
	options.HTTPClient = client
	var err error
	if o.HTTPCaller, err = rpc.NewHTTPCaller("http://user:secret@server/rpc?key=secret", &options); err != nil {
		t.Fatal(err)
	}
	return o
}

// sent returns the bodies of the requests that have come, and forgets them.
func (o *overHTTP) sent() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	bodies := o.bodies
	o.bodies = nil
	return bodies
}

// sentWere fails if other requests than these have come.
func (o *overHTTP) sentWere(t *testing.T, want ...string) {
	t.Helper()
	if got := o.sent(); !slices.Equal(got, want) {
		t.Errorf("requests:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

var (
	once  = &rpc.Method{Name: "once"}
	again = &rpc.Method{Name: "again", Idempotent: true}
)

// ask makes a call without parameters whose result is a number.
func ask(ctx context.Context, c rpc.Caller, m *rpc.Method) (n int, err error) {
	err = c.Call(ctx, &rpc.Call{Method: m, Result: &n})
	return n, err
}

// replies answers the requests with what it is given, in turn: a status, headers after
// it, an empty line and a body, and then always with the last.
func replies(all ...string) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		next := all[0]
		all = all[min(1, len(all)-1):]
		mu.Unlock()
		head, body, _ := strings.Cut(next, "\n\n")
		var status int
		fmt.Sscan(head, &status)
		for _, field := range strings.Split(head, "\n")[1:] {
			name, value, _ := strings.Cut(field, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// A server's own POST answers generated clients.
func TestHTTPCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newInteropServer(t, nil)
		srv.Register(services()...)
		o := httpCaller(t, withCaller(srv), &rpc.HTTPOptions{Header: http.Header{"As": {"ann"}}})
		client, subject := NewInteropClient(o), NewSubjectClient(o)
		ctx := t.Context()

		p := Parcel{Bytes: []byte{1}, Int: 1 << 60, Map: map[string][]bool{"a": {true}}, Next: &Parcel{}}
		if got, err := client.Echo(ctx, p); err != nil || fmt.Sprint(got.Bytes, got.Int, got.Map) != fmt.Sprint(p.Bytes, p.Int, p.Map) {
			t.Errorf("Echo: %+v, %v", got, err)
		}
		if a, b, err := client.Swap(ctx, "a", "b"); a != "b" || b != "a" || err != nil {
			t.Error("Swap:", a, b, err)
		}
		if who, err := client.Caller(ctx); who != "ann" || err != nil {
			t.Error("Caller:", who, err)
		}
		var typed interopError
		if err := client.Fail(ctx, "typed"); !errors.As(err, &typed) || typed.Retries != 3 || rpc.CodeOf(err) != 7001 {
			t.Errorf("a declared error: %v", err)
		}
		var data string
		if err := client.Fail(ctx, "coded"); !errors.Is(err, rpc.CodePermissionDenied) || err.(*rpc.Error).Decode(&data) != nil || data != "mallory" {
			t.Errorf("an error with data: %v, %q", err, data)
		}
		if err := o.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "nope"}}); !errors.Is(err, rpc.CodeMethodNotFound) {
			t.Error("unknown method:", err)
		}
		if err := client.Note(ctx, "hello"); err != nil {
			t.Error("Note:", err)
		}
		if notes, err := client.Notes(ctx, 1); !slices.Equal(notes, []string{"hello"}) || err != nil {
			t.Error("Notes:", notes, err)
		}
		o.sent()

		items, err := client.Count(ctx, 3, "")
		if !errors.Is(err, rpc.CodeNeedsWirecall) || !rpc.NotRun(err) {
			t.Error("a stream:", err)
		}
		for _, err := range items {
			if !errors.Is(err, rpc.CodeNeedsWirecall) {
				t.Error("in the stream:", err)
			}
		}
		if _, err := subject.Sum(ctx, rpc.Of(1)); !errors.Is(err, rpc.CodeNeedsWirecall) {
			t.Error("a stream up:", err)
		}
		o.sentWere(t)
	})
}

// What is sent is JSON-RPC 2.0 and nothing more: no timeout, no metadata.
func TestHTTPCallerMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen http.Header
		o := httpCaller(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = r.Header
			replies("200\n\n"+`{"jsonrpc":"2.0","id":1,"result":3}`)(w, r)
		}), &rpc.HTTPOptions{Header: http.Header{"x-trace": {"7"}}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ctx = rpc.WithMetadata(ctx, map[string]string{"tenant": "a"})
		sum, err := NewSubjectClient(o).Add(ctx, 1, 2)
		if sum != 3 || err != nil || seen.Get("Content-Type") != "application/json" || seen.Get("Accept") != "application/json" || seen.Get("X-Trace") != "7" {
			t.Error(sum, err, seen)
		}
		user, password, _ := (&http.Request{Header: seen}).BasicAuth()
		if user != "user" || password != "secret" {
			t.Errorf("the URL's user is %q, %q", user, password)
		}
		o.sentWere(t, `{"jsonrpc":"2.0","id":1,"method":"Test.Add","params":{"a":1,"b":2}}`)

		o = httpCaller(t, replies("204\n\n"), &rpc.HTTPOptions{ByPosition: true})
		if err := NewSubjectClient(o).Note(ctx, "x", 5); err != nil {
			t.Error(err)
		}
		o.sentWere(t, `{"jsonrpc":"2.0","method":"Test.Note","params":["x",5]}`)
	})
}

// The id of an answer is compared as servers return it. What is no answer is said.
func TestHTTPCallerAnswers(t *testing.T) {
	const prefix = "rpc: POST http://server/rpc: "
	for name, test := range map[string]struct{ answer, want string }{
		"plain":             {`{"jsonrpc":"2.0","id":1,"result":3}`, "3"},
		"id as text":        {`{"jsonrpc":"2.0","id":"1","result":3}`, "3"},
		"id as float":       {`{"jsonrpc":"2.0","id":1.0,"result":3}`, "3"},
		"an array of one":   {`[{"jsonrpc":"2.0","id":1,"result":3}]`, "3"},
		"null beside":       {`{"jsonrpc":"2.0","id":1,"result":3,"error":null}`, "3"},
		"error":             {`{"jsonrpc":"2.0","id":1,"error":{"code":5,"message":"no"}}`, "5 no"},
		"error without id":  {`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no JSON"}}`, "-32700 no JSON"},
		"another id":        {`{"jsonrpc":"2.0","id":2,"result":3}`, "-32603 " + prefix + "the response has no answer to the call"},
		"result without id": {`{"jsonrpc":"2.0","id":null,"result":3}`, "-32603 " + prefix + "the response has no answer to the call"},
		"no result":         {`{"jsonrpc":"2.0","id":1}`, "-32013 " + prefix + `the server answered 200 OK, and no JSON-RPC: is the path of the URL right?: {"jsonrpc":"2.0","id":1}`},
		"JSON-RPC 1.0":      {`{"id":1,"result":3}`, `-32603 ` + prefix + `the answer is not one of JSON-RPC 2.0: invalid request: jsonrpc is missing`},
		"a wrong type":      {`{"jsonrpc":"2.0","id":1,"result":"3"}`, "-32603 rpc: again: the result cannot be decoded: json: cannot unmarshal string into Go value of type int"},
		"empty":             {``, "-32603 " + prefix + "the response has no answer to the call"},
		"no JSON":           {`hello`, "-32013 " + prefix + "the server answered 200 OK, and no JSON-RPC: is the path of the URL right?: hello"},
		"other JSON":        {`{"status":"ok"}`, "-32013 " + prefix + `the server answered 200 OK, and no JSON-RPC: is the path of the URL right?: {"status":"ok"}`},
		"a request":         {`{"jsonrpc":"2.0","id":1,"method":"x"}`, "-32013 " + prefix + `the server answered 200 OK, and no JSON-RPC: is the path of the URL right?: {"jsonrpc":"2.0","id":1,"method":"x"}`},
		"half an array":     {`[{"jsonrpc":"2.0","id":1,"result":3}`, "-32013 " + prefix + `the server answered 200 OK, and no JSON-RPC: is the path of the URL right?: [{"jsonrpc":"2.0","id":1,"result":3}`},
		"too large":         {strings.Repeat(" ", 1000), "-32016 " + prefix + "the response is over the limit of 500 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := httpCaller(t, replies("200\nContent-Type: application/json\n\n"+test.answer), &rpc.HTTPOptions{ResponseBytes: 500})
				n, err := ask(t.Context(), o, again)
				got := fmt.Sprint(n)
				if err != nil {
					got = fmt.Sprintf("%d %v", rpc.CodeOf(err), err)
				}
				if got != test.want || len(o.sent()) != 1 {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
			})
		})
	}
}

// A status that is not 200 says what to do.
func TestHTTPCallerStatus(t *testing.T) {
	for _, test := range []struct {
		reply, want string
		code        rpc.Code
		notRun      bool
	}{
		{"301\nLocation: https://u:p@other/rpc?key=1\n\nmoved", "the server answered 301 Moved Permanently, a redirect, which a POST does not follow: call https://other/rpc: moved", rpc.CodeUnavailable, true},
		{"303\nLocation: https://other/done\n\n", "the server answered 303 See Other, a redirect, which a POST does not follow: call https://other/done", rpc.CodeUnavailable, false},
		{"308\n\n", "the server answered 308 Permanent Redirect, a redirect, which a POST does not follow: call the right URL", rpc.CodeUnavailable, true},
		{"400\n\nbad", "the server answered 400 Bad Request: bad", rpc.CodeUnavailable, false},
		{"401\n\nwho are you?", "the server answered 401 Unauthorized: who are you?", rpc.CodeUnauthenticated, true},
		{"401\n\n" + `{"jsonrpc":"2.0","id":1,"error":{"code":5,"message":"no"}}`, `the server answered 401 Unauthorized: {"jsonrpc":"2.0","id":1,"error":{"code":5,"message":"no"}}`, rpc.CodeUnauthenticated, true},
		{"403\n\n", "the server answered 403 Forbidden", rpc.CodePermissionDenied, true},
		{"404\nContent-Type: text/html; charset=utf-8\n\n<html>", "the server answered 404 Not Found: is the path of the URL right?: text/html", rpc.CodeUnavailable, true},
		{"405\n\n", "the server answered 405 Method Not Allowed: it takes no POST at this path; a WebSocket needs rpc.Dial", rpc.CodeUnavailable, true},
		{"413\n\n", "the server answered 413 Request Entity Too Large", rpc.CodeTooLarge, true},
		{"415\n\n", "the server answered 415 Unsupported Media Type: it wants another Content-Type, which HTTPOptions.Header can set", rpc.CodeUnavailable, true},
		{"426\n\n", "the server answered 426 Upgrade Required: it takes WebSockets: use rpc.Dial", rpc.CodeUnavailable, true},
		{"500\n\na\x00b", `the server answered 500 Internal Server Error: "a\x00b"`, rpc.CodeUnavailable, false},
		{"503\n\n", "the server answered 503 Service Unavailable", rpc.CodeUnavailable, false},
		{"500\n\n" + `{"jsonrpc":"2.0","id":1,"error":{"code":5,"message":"no"}}`, "", 5, false},
		{"404\n\n" + `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}`, "", rpc.CodeMethodNotFound, false},
	} {
		t.Run(test.reply[:3], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := ask(t.Context(), httpCaller(t, replies(test.reply), nil), once)
				want := "rpc: POST http://server/rpc: " + test.want
				if test.want == "" {
					want = "no"
				}
				if err == nil || err.Error() != want || rpc.CodeOf(err) != test.code || rpc.NotRun(err) != test.notRun {
					t.Errorf("%v\nwant %s; code %d, not run: %v", err, want, rpc.CodeOf(err), rpc.NotRun(err))
				}
			})
		})
	}
}

// A request is sent again if that is safe, and not before the server wants it.
func TestHTTPCallerRetries(t *testing.T) {
	const result = "200\n\n" + `{"jsonrpc":"2.0","id":1,"result":3}`
	for name, test := range map[string]struct {
		method  *rpc.Method
		replies []string
		opts    rpc.HTTPOptions
		sent    int
		least   time.Duration
		want    string
	}{
		"idempotent, 503":        {again, []string{"503\n\n", "502\n\n", result}, rpc.HTTPOptions{}, 3, 150 * time.Millisecond, "3"},
		"idempotent, 503 always": {again, []string{"503\n\n"}, rpc.HTTPOptions{}, 3, 150 * time.Millisecond, "503 Service Unavailable"},
		"idempotent, 500":        {again, []string{"500\n\n", result}, rpc.HTTPOptions{}, 1, 0, "500 Internal Server Error"},
		"idempotent, 404":        {again, []string{"404\n\n", result}, rpc.HTTPOptions{}, 1, 0, "404 Not Found"},
		"not idempotent, 503":    {once, []string{"503\n\n", result}, rpc.HTTPOptions{}, 1, 0, "503 Service Unavailable"},
		"not idempotent, 429":    {once, []string{"429\n\n", result}, rpc.HTTPOptions{}, 2, 50 * time.Millisecond, "3"},
		"Retry-After":            {once, []string{"429\nRetry-After: 7\n\n", result}, rpc.HTTPOptions{}, 2, 7 * time.Second, "3"},
		"too long":               {once, []string{"429\nRetry-After: 31\n\n", result}, rpc.HTTPOptions{}, 1, 0, "429 Too Many Requests, retry after 31s"},
		"never":                  {again, []string{"503\n\n", result}, rpc.HTTPOptions{Retries: -1}, 1, 0, "503 Service Unavailable"},
		"an answer with it":      {once, []string{"429\n\n" + `{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"rate"}}`}, rpc.HTTPOptions{}, 3, 150 * time.Millisecond, "rate"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := httpCaller(t, replies(test.replies...), &test.opts)
				begin := time.Now()
				n, err := ask(t.Context(), o, test.method)
				got := fmt.Sprint(n)
				if err != nil {
					got = strings.TrimPrefix(err.Error(), "rpc: POST http://server/rpc: the server answered ")
					got = strings.TrimSuffix(got, ": is the path of the URL right?")
				}
				if d, ok := rpc.RetryAfter(err); ok {
					got += fmt.Sprint(", retry after ", d)
				}
				took, sent := time.Since(begin), len(o.sent())
				if got != test.want || sent != test.sent || took < test.least || took > test.least+time.Second {
					t.Errorf("%s, %d requests, %v; want %s, %d, %v at least", got, sent, took, test.want, test.sent, test.least)
				}
			})
		})
	}
	t.Run("deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := httpCaller(t, replies("429\nRetry-After: 7\n\n"), nil)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := ask(ctx, o, once)
			if d, _ := rpc.RetryAfter(err); d != 7*time.Second || ctx.Err() != nil || !rpc.NotRun(err) {
				t.Error("it waits, though its time ends before:", err)
			}
		})
	})
}

// A call that could not be sent is sent again, and one that may have run is not.
func TestHTTPCallerLosesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := false
		o := httpCaller(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cut {
				cut = false
				panic(http.ErrAbortHandler)
			}
			replies("200\n\n"+`{"jsonrpc":"2.0","id":null,"error":{"code":7,"message":"arrived"}}`)(w, r)
		}), nil)
		refused := 2
		o.network.Plan = func(int) rpctest.Plan {
			refused--
			return rpctest.Plan{Refuse: refused >= 0}
		}
		if _, err := ask(t.Context(), o, once); rpc.CodeOf(err) != 7 {
			t.Error("two connections were refused:", err)
		}
		cut = true
		if _, err := ask(t.Context(), o, once); !errors.Is(err, rpc.CodeUnavailable) || rpc.NotRun(err) || len(o.sent()) != 2 {
			t.Error("the connection was cut:", err)
		}
		cut = true
		if _, err := ask(t.Context(), o, again); rpc.CodeOf(err) != 7 || len(o.sent()) != 2 {
			t.Error("the connection of an idempotent call was cut:", err)
		}
		refused = 100
		o.network.Cut()
		if _, err := ask(t.Context(), o, once); !errors.Is(err, rpc.CodeUnavailable) || !rpc.NotRun(err) || refused != 97 {
			t.Errorf("nobody is there: %v, after %d", err, 100-refused)
		}
	})
}

// Errors of a RoundTripper that does not trace its connections do not say that a call
// has not run.
func TestHTTPCallerOverOtherTransports(t *testing.T) {
	c, err := rpc.NewHTTPCaller("http://server", &rpc.HTTPOptions{HTTPClient: &http.Client{Transport: untraced{}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), c, once); !errors.Is(err, net.ErrClosed) || rpc.NotRun(err) {
		t.Error(err)
	}
}

type untraced struct{}

func (untraced) RoundTrip(*http.Request) (*http.Response, error) { return nil, net.ErrClosed }

func TestHTTPCallerToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newInteropServer(t, &rpc.ServerOptions{Authenticate: tokens})
		asked := 0
		var token string
		o := httpCaller(t, srv, &rpc.HTTPOptions{Token: func(context.Context) (string, error) {
			asked++
			if token == "" && asked%2 == 0 {
				return "good", nil
			}
			return "bad" + token, nil
		}})
		client := NewInteropClient(o)
		if _, err := client.Caller(t.Context()); err != nil || asked != 2 || len(o.sent()) != 2 {
			t.Errorf("%v, Token was called %d times", err, asked)
		}
		token = "always"
		if _, err := client.Caller(t.Context()); !errors.Is(err, rpc.CodeUnauthenticated) || !rpc.NotRun(err) || asked != 4 {
			t.Errorf("%v, Token was called %d times", err, asked)
		}

		gone := errors.New("the keys are gone")
		o = httpCaller(t, srv, &rpc.HTTPOptions{Token: func(context.Context) (string, error) { return "", gone }})
		if _, err := ask(t.Context(), o, again); !errors.Is(err, gone) || !rpc.NotRun(err) || len(o.sent()) != 0 {
			t.Error(err)
		}
		o = httpCaller(t, srv, &rpc.HTTPOptions{HeaderFunc: func(context.Context) (http.Header, error) { panic("a secret") }})
		if _, err := ask(t.Context(), o, once); err == nil || err.Error() != "rpc: POST http://server/rpc: HTTPOptions.HeaderFunc: rpc: panic in HTTPOptions.HeaderFunc" {
			t.Error(err)
		}
	})
}

// The client's Jar keeps a login.
func TestHTTPCallerCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen string
		jar, _ := cookiejar.New(nil)
		o := httpCaller(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = r.Header.Get("Cookie")
			http.SetCookie(w, &http.Cookie{Name: "login", Value: "ann"})
			replies("200\n\n"+`{"jsonrpc":"2.0","id":null,"error":{"code":7,"message":""}}`)(w, r)
		}), &rpc.HTTPOptions{HTTPClient: &http.Client{Jar: jar}})
		for _, want := range []string{"", "login=ann"} {
			if ask(t.Context(), o, once); seen != want {
				t.Errorf("the cookies are %q, want %q", seen, want)
			}
		}
	})
}

// The end of the caller's context ends the request and the handler.
func TestHTTPCallerCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newInterop()
		srv := rpc.NewServer(nil)
		srv.Register(InteropService(s))
		o := httpCaller(t, srv, nil)
		why := errors.New("no longer wanted")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-s.waiting; cancel(why) }()
		if err := NewInteropClient(o).Wait(ctx); err != why {
			t.Error(err)
		}
		<-s.left
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := NewInteropClient(o).Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		<-s.left
		o.sent()
		if _, err := ask(ctx, o, again); !errors.Is(err, context.DeadlineExceeded) || len(o.sent()) != 0 {
			t.Error("under a context that has ended:", err)
		}
	})
}

func TestHTTPCallerInterceptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		o := httpCaller(t, newInteropServer(t, nil), &rpc.HTTPOptions{
			CallInterceptors: []rpc.Interceptor{func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
				log = append(log, "before "+c.Method.Name)
				return next(ctx, c)
			}},
			Observers: []*rpc.Observer{{Call: func(ctx context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
				log = append(log, "call "+c.Method.Name)
				return ctx, func(r rpc.CallResult) {
					log = append(log, fmt.Sprintf("%v, ran: %v, %d and %d bytes", rpc.CodeOf(r.Err), r.Ran, r.ParamBytes, r.ResultBytes))
				}
			}}},
		})
		client := NewInteropClient(o)
		client.Swap(t.Context(), "a", "b")
		client.Count(t.Context(), 1, "")
		want := []string{"call Interop.Swap", "before Interop.Swap", "code 0, ran: true, 17 and 26 bytes",
			"call Interop.Count", "before Interop.Count", "needs a wirecall connection, ran: false, 0 and 0 bytes"}
		if !slices.Equal(log, want) {
			t.Errorf("got  %q\nwant %q", log, want)
		}
	})
}

func TestHTTPOptions(t *testing.T) {
	for want, opts := range map[string]rpc.HTTPOptions{
		"HTTPOptions.BatchWindow is -1ns":                                   {BatchWindow: -1},
		"HTTPOptions.BatchWindow is 5ns: want a millisecond at least":       {BatchWindow: 5},
		"HTTPOptions.BatchMessages is -1":                                   {BatchMessages: -1},
		"HTTPOptions.ResponseBytes is -1":                                   {ResponseBytes: -1},
		"CallInterceptors[0] is nil":                                        {CallInterceptors: []rpc.Interceptor{nil}},
		"HTTPOptions.Header has content-length, which net/http itself sets": {Header: http.Header{"content-length": {"1"}}},
		"HTTPOptions.Header has host with 1 values: want Host with one":     {Header: http.Header{"host": {"a"}}},
		"HTTPOptions.Header has Connection, which net/http itself sets":     {Header: http.Header{"Connection": {"close"}}},
	} {
		if _, err := rpc.NewHTTPCaller("http://x", &opts); err == nil || !strings.HasPrefix(err.Error(), "rpc: POST http://x: "+want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	for url, want := range map[string]string{
		"ws://u:p@x/y?k=1": `rpc: POST ws://x/y: the scheme must be http or https, not "ws"; Dial has the others`,
		"x:80":             "rpc: POST x:80: the URL must begin with",
		"http:///rpc":      "rpc: POST http:///rpc: the URL has no host",
	} {
		if _, err := rpc.NewHTTPCaller(url, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// A json.RawMessage is sent and stored as it is.
func TestHTTPCallerRaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		srv.Register(services()...)
		var result json.RawMessage
		err := httpCaller(t, srv, nil).Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "Test.Add"}, Params: json.RawMessage(`[1,2]`), Result: &result})
		if string(result) != "3" || err != nil {
			t.Error(string(result), err)
		}
	})
}
