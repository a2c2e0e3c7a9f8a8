package post

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/fault"
)

// Delays before a request is sent again: they double, up to the longest. A server may
// ask for more by Retry-After, up to maxWait; if it asks for more than that, or than the
// context has left, the call fails at once and its error says when to try.
const (
	firstDelay   = 100 * time.Millisecond
	longestDelay = 2 * time.Second
	maxWait      = 30 * time.Second
)

// send sends the entries, again if it failed and that is safe, and returns the body of
// the response: answers, or nothing.
func (c *Client) send(ctx context.Context, entries []*entry) ([]byte, error) {
	body, idempotent := message(entries), isIdempotent(entries)
	renewed := !c.Renew
	for n := 0; ; {
		r := c.attempt(ctx, body)
		switch {
		case r.err != nil && ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case r.status == http.StatusUnauthorized && !renewed:
			renewed = true
			continue
		case n == c.Retries || !r.passing || !idempotent && !r.notRun:
			return r.body, r.err
		}
		wait := max(backoff.Delay(firstDelay, longestDelay, n), r.after)
		if end, ok := ctx.Deadline(); wait > maxWait || ok && time.Until(end) < wait {
			return r.body, r.err
		}
		backoff.Sleep(ctx, wait)
		n++
	}
}

func isIdempotent(entries []*entry) bool {
	for _, e := range entries {
		if !e.Idempotent {
			return false
		}
	}
	return true
}

// A response is what has become of one HTTP request: a body of answers, an error, or
// both, if a server that refuses a request for a while says so in JSON-RPC. Then err is
// nil in the end, since the body has the error.
type response struct {
	status  int // 0 if none has come
	body    []byte
	err     error
	passing bool          // it may be different soon
	after   time.Duration // what the server asks to wait; 0 for nothing
	notRun  bool          // the server has not received the request, or has refused it
}

// attempt makes one HTTP request.
func (c *Client) attempt(ctx context.Context, body []byte) *response {
	header, err := c.Header(ctx)
	if err != nil {
		return &response{err: err}
	}
	var t trace
	req, err := http.NewRequestWithContext(t.context(ctx, header), http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return &response{err: err}
	}
	req.Header, req.Host = header, header.Get("Host")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return c.failed(err, t.notSent())
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.MaxResponse)+1))
	switch {
	case err != nil:
		return c.failed(err, false)
	case len(content) > c.MaxResponse:
		return &response{status: resp.StatusCode, err: c.errorf(fault.TooLarge, fault.Maybe, "the response is over the limit of %d bytes", c.MaxResponse)}
	}
	return c.classify(resp, content)
}

// A trace records whether a request may have been sent. net/http calls it on the
// goroutine of the request, but for answered.
type trace struct {
	asked     bool // a connection was asked for; false if the RoundTripper does not trace
	connected bool // there was one
	answered  atomic.Bool
}

// context returns the context of a request with the given headers. If net/http asks for
// another connection before there was an answer, it has written nothing to the one
// before, unless it may repeat the request because of an Idempotency-Key.
func (t *trace) context(ctx context.Context, h http.Header) context.Context {
	_, key := h["Idempotency-Key"]
	_, xkey := h["X-Idempotency-Key"]
	repeats := key || xkey
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) {
			t.asked = true
			t.connected = t.connected && (repeats || t.answered.Load())
		},
		GotConn:              func(httptrace.GotConnInfo) { t.connected = true },
		GotFirstResponseByte: func() { t.answered.Store(true) },
	})
}

// notSent reports whether a request that failed was certainly not sent.
func (t *trace) notSent() bool { return t.asked && !t.connected }

// failed returns the response to a request without one.
func (c *Client) failed(err error, notSent bool) *response {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // without the URL, which may hold a password
	}
	code, ran := fault.Unavailable, fault.Maybe
	if errors.Is(err, context.DeadlineExceeded) { // http.Client.Timeout
		code = fault.DeadlineExceeded
	}
	if notSent {
		ran = fault.No
	}
	e := c.errorf(code, ran, "%v", err)
	e.Cause = err
	return &response{err: e, passing: true, notRun: notSent}
}

// errorf returns an error of the request, which quotes the URL.
func (c *Client) errorf(code int, ran fault.Ran, format string, args ...any) *fault.Error {
	e := fault.Errorf(code, "rpc: POST %s: "+format, append([]any{c.Name}, args...)...)
	e.Ran = ran
	return e
}
