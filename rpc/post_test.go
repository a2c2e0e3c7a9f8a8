package rpc_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
)

// What a POST, and what is neither that nor a WebSocket handshake, is answered
// with.
func TestHTTP(t *testing.T) {
	const (
		needs = `"error":{"code":-32009,"message":"streams and calls to the peer need a wirecall connection: this one is plain JSON-RPC"}}`
		add   = `{"jsonrpc":"2.0","id":1,"method":"Test.Add","params":[1,2]}`
	)
	for _, test := range []struct {
		name, method, body string
		header             string
		code               int
		want               string
	}{
		{"call", "POST", add, "", 200, `{"jsonrpc":"2.0","id":1,"result":3}`},
		{"charset", "POST", add, "Content-Type: application/json; charset=utf-8", 200, `{"jsonrpc":"2.0","id":1,"result":3}`},
		{"failing call", "POST", `{"jsonrpc":"2.0","id":1,"method":"Test.Panic"}`, "", 200, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}`},
		{"batch", "POST", "[" + add + `,{"jsonrpc":"2.0","method":"Test.Nope"},1]`, "", 200,
			`[{"jsonrpc":"2.0","id":1,"result":3},{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: not an object"}}]`},
		{"notification", "POST", `{"jsonrpc":"2.0","method":"Test.Note","params":["x"]}`, "", 204, ""},
		{"notifications", "POST", `[{"jsonrpc":"2.0","method":"Test.Note","params":["x"]}]`, "", 204, ""},
		{"malformed", "POST", "hello", "", 200, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: malformed JSON at byte 0"}}`},
		{"empty", "POST", "", "", 200, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: no message"}}`},
		{"empty batch", "POST", "[]", "", 200, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: an empty batch"}}`},
		{"timeout", "POST", `{"jsonrpc":"2.0","id":1,"method":"Test.Sleep","params":[50],"timeout":10}`, "", 200, `{"jsonrpc":"2.0","id":1,"result":"slept"}`},
		{"stream", "POST", `{"jsonrpc":"2.0","id":1,"method":"Test.Tick","params":[1]}`, "", 200, `{"jsonrpc":"2.0","id":1,` + needs},
		{"upload", "POST", `{"jsonrpc":"2.0","id":1,"method":"Test.Sum"}`, "", 200, `{"jsonrpc":"2.0","id":1,` + needs},
		{"call back", "POST", `{"jsonrpc":"2.0","id":1,"method":"Test.Ask"}`, "", 200, `{"jsonrpc":"2.0","id":1,` + strings.Replace(needs, `"no"`, `"maybe"`, 1)},
		{"hello", "POST", helloRequest, "", 200, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"method not found: rpc.hello"}}`},
		{"unsubscribe", "POST", `{"jsonrpc":"2.0","id":1,"method":"rpc.unsubscribe","params":["0x1"]}`, "", 200, `{"jsonrpc":"2.0","id":1,"result":false}`},
		{"too large", "POST", strings.Repeat(" ", 2<<20), "", 413, "http: request body too large\n"},
		{"no content type", "POST", add, "Content-Type: ", 415, "Content-Type must be application/json\n"},
		{"a form", "POST", add, "Content-Type: text/plain", 415, "Content-Type must be application/json\n"},
		{"foreign page", "POST", add, "Origin: https://evil.example", 403, "origin \"https://evil.example\" is not allowed: see rpc.ServerOptions.Origins\n"},
		{"null origin", "POST", add, "Origin: null", 403, "origin \"null\" is not allowed: see rpc.ServerOptions.Origins\n"},
		{"own page", "POST", add, "Origin: https://example.com", 200, `{"jsonrpc":"2.0","id":1,"result":3}`},
		{"allowed page", "POST", add, "Origin: https://app.good.example", 200, `{"jsonrpc":"2.0","id":1,"result":3}`},
		{"foreign handshake", "GET", "", "Origin: https://evil.example", 403, "origin \"https://evil.example\" is not allowed: see rpc.ServerOptions.Origins\n"},
		{"no handshake", "GET", "", "", 426, "want a WebSocket handshake or a POST of JSON-RPC\n"},
		{"put", "PUT", add, "", 405, "want a WebSocket handshake or a POST of JSON-RPC\n"},
		{"preflight", "OPTIONS", "", "Origin: https://app.good.example", 204, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := rpc.NewServer(&rpc.ServerOptions{Origins: []string{"*.good.example"}})
				srv.Register(services()...)
				r := httptest.NewRequest(test.method, "http://example.com/", strings.NewReader(test.body))
				r.Header.Set("Content-Type", "application/json")
				if name, value, ok := strings.Cut(test.header, ": "); ok {
					r.Header.Set(name, value)
				}
				w := httptest.NewRecorder()
				srv.ServeHTTP(w, r)
				if w.Code != test.code || w.Body.String() != test.want {
					t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, test.code, test.want)
				}
				if json := w.Header().Get("Content-Type") == "application/json"; json != (test.code == 200) {
					t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
				}
			})
		})
	}
}

// A POST whose client has gone ends its call.
func TestPOSTCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		srv.Register(services()...)
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "POST", "/", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"Test.Sleep","params":[60000]}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		go srv.ServeHTTP(w, r)
		synctest.Wait()
		cancel()
		synctest.Wait()
		if w.Body.Len() > 0 {
			t.Errorf("answered %s", w.Body)
		}
		r = httptest.NewRequest("POST", "/", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"Test.Notes"}`))
		r.Header.Set("Content-Type", "application/json")
		srv.ServeHTTP(w, r)
		if got := w.Body.String(); got != `{"jsonrpc":"2.0","id":1,"result":["Sleep: context canceled"]}` {
			t.Errorf("got %s", got)
		}
	})
}

// A server that has been shut down takes no new POST on.
func TestPOSTAfterShutdown(t *testing.T) {
	srv := newTestServer(rpc.Limits{})
	srv.Shutdown(t.Context())
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if srv.ServeHTTP(w, r); w.Code != 503 {
		t.Errorf("got %d", w.Code)
	}
}
