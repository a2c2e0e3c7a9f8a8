package post

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/fault"
)

// answering is a RoundTripper in place of a server. It reports connections as net/http
// does: as many as conns.
type answering struct {
	status int
	body   string
	err    error // in place of an answer
	conns  []bool
	first  bool // whether there was an answer before the last connection
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if t := httptrace.ContextClientTrace(r.Context()); t != nil {
		for i, got := range a.conns {
			if t.GetConn("server"); got {
				t.GotConn(httptrace.GotConnInfo{})
			}
			if a.first && i == 0 {
				t.GotFirstResponseByte()
			}
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{StatusCode: a.status, Status: http.StatusText(a.status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// client returns a client of a. The headers are those of each request.
func client(a answering, headers ...string) *Client {
	c := &Client{URL: "http://server", Name: "http://server", MaxResponse: 1 << 20, Header: func(context.Context) (http.Header, error) {
		h := http.Header{}
		for _, name := range headers {
			h.Set(name, "1")
		}
		return h, nil
	}}
	c.HTTP.Transport = a
	c.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Whatever a server answers, each call has an answer or an error, and not both, and no
// call has that of another.
func FuzzResponse(f *testing.F) {
	for _, body := range []string{"", "[]", "null", `{"jsonrpc":"2.0","id":1,"result":1}`, `[{"jsonrpc":"2.0","id":2,"result":2},{"jsonrpc":"2.0","id":"1","error":{"code":1,"message":""}}]`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}`, `[{"jsonrpc":"2.0","id":1,"method":"x"},{"id":2,"result":2}]`, "<html>", "[[[", `{"jsonrpc":"2.0","id":1e0,"result":null}`} {
		f.Add(200, body)
		f.Add(503, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 999 {
			return
		}
		entries := []*entry{{Request: Request{ID: 1, Message: []byte(" {}")}}, {Request: Request{Message: []byte(" {}")}}, {Request: Request{ID: 2, Message: []byte(" {}")}}}
		client(answering{status: status, body: body, conns: []bool{true}}).exchange(t.Context(), entries)
		for i, e := range entries {
			got := 0
			for _, there := range []bool{e.err != nil, e.answer.Result != nil, e.answer.Error != nil} {
				if there {
					got++
				}
			}
			if got != 1 && !(got == 0 && e.ID == 0) {
				t.Errorf("entry %d: %q, %q and %v", i, e.answer.Result, e.answer.Error, e.err)
			}
			if e.ID == 0 && e.answer.Result != nil {
				t.Errorf("a notification has the result %q", e.answer.Result)
			}
		}
	})
}

// A request that has failed was not sent only if net/http has had no connection that it
// may have written it to.
func TestNotSent(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		conns   []bool
		first   bool
		headers []string
		notRun  bool
	}{
		"not traced":                       {nil, false, nil, false},
		"no connection":                    {[]bool{false}, false, nil, true},
		"a connection":                     {[]bool{true}, false, nil, false},
		"one that was closed, then none":   {[]bool{true, false}, false, nil, true},
		"one that was closed, then one":    {[]bool{true, true}, false, nil, false},
		"a redirect, then none":            {[]bool{true, false}, true, nil, false},
		"repeated by its key, then none":   {[]bool{true, false}, false, []string{"Idempotency-Key"}, false},
		"repeated by its X-key, then none": {[]bool{true, false}, false, []string{"X-Idempotency-Key"}, false},
		"none at all, with a key":          {[]bool{false}, false, []string{"Idempotency-Key"}, true},
	} {
		_, err := client(answering{err: broken, conns: test.conns, first: test.first}, test.headers...).Do(t.Context(), Request{ID: 1, Message: []byte("{}")})
		e, ok := err.(*fault.Error)
		if !ok || !errors.Is(err, broken) || (e.Ran == fault.No) != test.notRun {
			t.Errorf("%s: %+v, want not run: %v", name, err, test.notRun)
		}
	}
}
