package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/post"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

// HTTPOptions configure an HTTPCaller. The zero value of each field is the recommended
// one.
type HTTPOptions struct {
	// HTTPClient makes the requests. Its Jar has the cookies, its Transport the TLS
	// configuration and the proxies, and its Timeout bounds each request. A redirect is an
	// error unless it has a CheckRedirect. The default is http.DefaultClient.
	HTTPClient *http.Client

	// Header is sent with each request. HeaderFunc is called before each request, and
	// its headers replace those of the same name. A Content-Type among them replaces
	// application/json, and a Host that of the URL. If HeaderFunc returns an error, the
	// call fails with it.
	Header     http.Header
	HeaderFunc func(ctx context.Context) (http.Header, error)

	// Token returns the token that authenticates this side, which is sent as
	// "Authorization: Bearer" (RFC 6750, section 2.1). It is called before each request,
	// and once more if the server answers 401; that request is then sent again.
	Token func(ctx context.Context) (string, error)

	// Retries is how often a request is sent again at most, if the server has certainly
	// not run it, or if all of its methods are idempotent: when no connection could be
	// opened, or was lost; and after the status 429, 502, 503 or 504. The delays begin with
	// 100 ms and double, and are longer if Retry-After asks for it. If it asks for more
	// than 30 s, or than the deadline of the call, the call fails at once: see RetryAfter.
	// The default is 2. If it is negative, no request is sent again.
	Retries int

	// BatchWindow makes batches of the calls and notifications that are made within this
	// time of the first of them. Each of them may wait that long; a call that is made
	// alone is sent as one. HeaderFunc and Token are called with the values of the first
	// call's context, and their credentials are those of all calls in the batch: do not
	// set it if they depend on the caller. The default, 0, makes no batches: not every
	// server takes them, and the slowest call of a batch delays the answers to all.
	BatchWindow time.Duration

	// BatchMessages is how many messages a batch may have. A full one is sent at once. The
	// default is 100.
	BatchMessages int

	// ResponseBytes is the size in bytes of the largest response that is read. The default
	// is 4 MiB.
	ResponseBytes int

	CallInterceptors []Interceptor // as in ConnOptions
	Observers        []*Observer   // as in ConnOptions; only their Call is used
	ByPosition       bool          // as in ConnOptions
	Logger           *slog.Logger  // as in ConnOptions
}

// Validate returns an error that names the first invalid field of o, or nil if there is
// none or o is nil. NewHTTPCaller returns that error.
func (o *HTTPOptions) Validate() error {
	if o == nil {
		return nil
	}
	return firstError(checkNumbers("HTTPOptions", *o, "Retries"), checkHTTPHeader(o.Header), o.conn().Validate())
}

// checkHTTPHeader returns an error for headers that net/http sets itself.
func checkHTTPHeader(h http.Header) error {
	for name, values := range h {
		switch canonical := http.CanonicalHeaderKey(name); {
		case canonical == "Content-Length", canonical == "Transfer-Encoding", canonical == "Connection":
			return fmt.Errorf("HTTPOptions.Header has %s, which net/http itself sets", name)
		case canonical == "Host" && (name != "Host" || len(values) != 1):
			return fmt.Errorf("HTTPOptions.Header has %s with %d values: want Host with one", name, len(values))
		}
	}
	return nil
}

// conn returns the options that an HTTPCaller shares with a connection.
func (o *HTTPOptions) conn() *ConnOptions {
	return &ConnOptions{CallInterceptors: o.CallInterceptors, Observers: o.Observers, ByPosition: o.ByPosition, Logger: o.Logger, Token: o.Token}
}

// An HTTPCaller is a Caller whose calls are HTTP POST requests with JSON-RPC 2.0, for
// servers that have no WebSocket and for programs that make a call now and then. It has
// no connection to close or to reconnect: those of http.Client serve it. A connection
// that Dial makes is faster, and has streams, calls from the server and metadata, none of
// which a POST can carry: calls with streams fail with CodeNeedsWirecall. Metadata is
// not sent.
//
// A call ends when ctx does; whether it has run is then not known. A notification
// returns when the server has accepted the request.
//
// If the server's response is no answer, the error of the call says what it was: it has
// CodeUnauthenticated for the status 401, CodePermissionDenied for 403, CodeTooLarge for
// 413, CodeLimitReached for 429, and otherwise CodeUnavailable. NotRun reports the status
// of which HTTP says that the request has not been processed.
type HTTPCaller struct {
	*config
	opts   HTTPOptions
	client *post.Client
	invoke Handler // roundTrip with the interceptors around it
}

// NewHTTPCaller returns an HTTPCaller for a server at an http:// or https:// URL. A nil
// opts means the defaults; if an option is invalid, the error names its field. It does
// not connect. Errors quote the URL without userinfo and query, which may hold passwords.
func NewHTTPCaller(rawURL string, opts *HTTPOptions) (*HTTPCaller, error) {
	if err := firstError(opts.Validate(), checkHTTPURL(rawURL)); err != nil {
		return nil, fmt.Errorf("rpc: POST %s: %w", shownURL(rawURL), err)
	}
	c := new(HTTPCaller)
	if opts != nil {
		c.opts = *opts
	}
	c.config = c.opts.conn().config()
	c.client = &post.Client{
		URL: rawURL, Name: shownURL(rawURL), HTTP: c.opts.httpClient(),
		Header: c.header, Renew: c.opts.Token != nil,
		MaxResponse: c.opts.ResponseBytes, Retries: max(c.opts.Retries, 0), Window: c.opts.BatchWindow, MaxBatch: c.opts.BatchMessages,
	}
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.client.MaxResponse, 4<<20)
	def(&c.client.MaxBatch, 100)
	if c.opts.Retries == 0 {
		c.client.Retries = 2
	}
	c.invoke = c.callChain(c.roundTrip)
	return c, nil
}

func checkHTTPURL(rawURL string) error {
	u, err := parseURL(rawURL)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("the scheme must be http or https, not %q; Dial has the others", u.Scheme)
	case u.Host == "":
		return errors.New("the URL has no host")
	}
	return nil
}

// httpClient returns the client that makes the requests. A redirect is not followed by
// default: net/http makes a GET of most, and the program should have the right URL.
func (o *HTTPOptions) httpClient() http.Client {
	client := *http.DefaultClient
	if o.HTTPClient != nil {
		client = *o.HTTPClient
	}
	if client.CheckRedirect == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client
}

// Call makes a call; see Caller.
func (c *HTTPCaller) Call(ctx context.Context, call *Call) error {
	var err error
	if len(c.observers.call) > 0 {
		err = c.observers.observe(ctx, call, c.invoke)
	} else {
		err = c.invoke(ctx, call)
	}
	if err != nil {
		call.failStreams(err)
	}
	return err
}

var errNeedsConnection = &Error{Code: CodeNeedsWirecall, Message: "rpc: streams need a connection, which Dial makes: an HTTP request cannot carry them", ran: fault.No}

// roundTrip makes a call. Interceptors are wrapped around it.
func (c *HTTPCaller) roundTrip(ctx context.Context, call *Call) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case call.sends() || call.receives():
		return errNeedsConnection
	}
	request, size, err := c.encode(call)
	if err != nil {
		return err
	}
	w := c.observers.watchedBy(ctx)
	if w != nil {
		w.result.ParamBytes = size
	}
	answer, err := c.client.Do(ctx, request)
	if f, ok := err.(*fault.Error); ok {
		return errorOf(f, codec.JSON)
	}
	switch {
	case err != nil:
		return err
	case answer.Error != nil:
		return declaredErrors(call.Method.Errors).recognize(errorOf(session.PlainError(answer.Error), codec.JSON))
	case call.Method.Notify:
		return nil
	}
	if w != nil {
		w.result.ResultBytes = len(answer.Result)
	}
	if call.Result == nil {
		return nil
	}
	dec := decoder{form: wire.JSON, codec: codec.JSON, errors: call.Method.Errors}
	_, err = dec.result(call, answer.Result, answer.Deep)
	return err
}

// encode returns the request for a call, and the size of its parameters.
func (c *HTTPCaller) encode(call *Call) (post.Request, int, error) {
	request := post.Request{Idempotent: call.Method.Idempotent}
	form, params := c.plainForm(call), call.params()
	head := wire.Head{Method: form.method, Body: call.Params != nil}
	if !call.Method.Notify {
		request.ID = c.client.NextID()
		head.ID = wire.JSON.AppendID(nil, request.ID)
	}
	msg := wire.JSON.AppendRequest(nil, &head)
	from := len(msg)
	msg, err := encodeParams(msg, encoder{form: wire.JSON, codec: codec.JSON, depth: wire.CalleeDepth}, call, form, &params)
	request.Message = wire.JSON.AppendTail(msg)
	return request, len(msg) - from, err
}

// header returns the headers of a request.
func (c *HTTPCaller) header(ctx context.Context) (http.Header, error) {
	all := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	err := addHeaders(ctx, all, c.Log, "HTTPOptions.HeaderFunc", c.opts.Header, c.opts.HeaderFunc)
	if err != nil {
		err = fmt.Errorf("HTTPOptions.HeaderFunc: %w", err)
	} else if c.Token != nil {
		var token string
		if token, err = c.Token(ctx); err == nil {
			all.Set("Authorization", "Bearer "+token)
		}
	}
	if err == nil {
		err = checkHTTPHeader(all)
	}
	if err != nil {
		return nil, notSent(CodeOf(err), fmt.Errorf("rpc: POST %s: %w", c.client.Name, err))
	}
	return all, nil
}

// addHeaders adds to all the headers of options: fixed, and in their place the result of
// latest, which is the option called name and may be nil. An error is that of latest.
func addHeaders(ctx context.Context, all http.Header, log *slog.Logger, name string, fixed http.Header, latest func(context.Context) (http.Header, error)) error {
	for field, values := range fixed {
		all[http.CanonicalHeaderKey(field)] = values
	}
	if latest == nil {
		return nil
	}
	headers, err := guarded(ctx, log, name, latest)
	if err != nil {
		return err
	}
	for field, values := range headers {
		all[http.CanonicalHeaderKey(field)] = values
	}
	return nil
}
