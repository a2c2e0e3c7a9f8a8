package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// authenticate is middleware as users write it: the header says who it is, and
// handlers find it in their contexts.
func authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
	})
}

func TestMiddlewareIsSeenByHandlers(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/rpc", authenticate(newInteropServer(t, nil)))
	ts := serveHTTP(t, mux)
	for _, who := range []string{"ann", "bob"} {
		conn := dial(t, ts.URL+"/rpc", rpc.DialOptions{Header: http.Header{"Authorization": {"Bearer " + who}}})
		if got, err := NewInteropClient(conn).Caller(t.Context()); got != who || err != nil {
			t.Errorf("%q, %v, want %s", got, err, who)
		}
	}
	r, w := post(`{"jsonrpc":"2.0","id":1,"method":"Interop.Caller"}`), httptest.NewRecorder()
	r.URL.Path = "/rpc"
	r.Header.Set("Authorization", "Bearer carol")
	mux.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != `{"jsonrpc":"2.0","id":1,"result":"carol"}` {
		t.Error(w.Code, w.Body)
	}
}

func TestDialErrorSaysWhatTheServerAnswered(t *testing.T) {
	ts := serveHTTP(t, authenticate(newInteropServer(t, nil)))
	_, err := rpc.Dial(t.Context(), ts.URL, nil)
	want := "rpc: dial " + ts.URL + ": the server answered 401 Unauthorized: who are you?"
	if err == nil || strings.TrimSpace(err.Error()) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A server that takes POSTs only cannot be dialed, and the error says what can be done.
func TestDialToPOSTOnly(t *testing.T) {
	for _, status := range []int{200, 405, 415} {
		synctest.Test(t, func(t *testing.T) {
			o := httpCaller(t, replies(fmt.Sprint(status, "\n\nPOST only")), nil)
			_, err := rpc.Dial(t.Context(), "http://server", &rpc.DialOptions{NetDial: o.network.Dial})
			want := fmt.Sprintf("rpc: dial http://server: the server answered %d %s: it made no WebSocket; if it takes JSON-RPC by POST, use rpc.NewHTTPCaller: POST only", status, http.StatusText(status))
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestDialSendsItsHeader(t *testing.T) {
	got := make(chan http.Header, 1)
	srv := newInteropServer(t, nil)
	ts := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		srv.ServeHTTP(w, r)
	}))
	header := http.Header{"X-Tenant": {"a", "b"}, "Cookie": {"session=1"}, "Origin": {ts.URL}}
	dial(t, ts.URL, rpc.DialOptions{Header: header})
	h := <-got
	for k, want := range header {
		if !slices.Equal(h[k], want) {
			t.Errorf("%s: %q, want %q", k, h[k], want)
		}
	}
	if len(header) != 3 {
		t.Errorf("Dial has changed the header it was given: %v", header)
	}
}

// A Host in the header is the one that is asked for, and what a handshake would
// overwrite is refused.
func TestDialHeaderOfTheHandshakeItself(t *testing.T) {
	hosts, srv := make(chan string, 1), newInteropServer(t, nil)
	ts := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts <- r.Host
		srv.ServeHTTP(w, r)
	}))
	dial(t, ts.URL, rpc.DialOptions{Header: http.Header{"Host": {"lots.example"}}})
	if host := <-hosts; host != "lots.example" {
		t.Errorf("the server was asked for %q", host)
	}
	for _, h := range []http.Header{
		{"Connection": {"close"}}, {"upgrade": {"h2c"}}, {"Sec-WebSocket-Protocol": {"mine"}}, {"Sec-Websocket-Extensions": {"permessage-deflate"}},
		{"host": {"a"}}, {"Host": {"a", "b"}},
	} {
		if _, err := rpc.Dial(t.Context(), ts.URL, &rpc.DialOptions{Header: h}); err == nil || !strings.Contains(err.Error(), ": DialOptions.Header has ") {
			t.Errorf("%v: %v", h, err)
		}
	}
}

// Passwords and tokens in a URL are in no error.
func TestDialErrorsHaveNoSecrets(t *testing.T) {
	refuses := serveHTTP(t, http.NotFoundHandler()).Listener.Addr().String()
	for _, url := range []string{
		"ws://u5er:s3cret@" + refuses + "/rpc?token=s3cret#s3cret",
		"ws://s3cret@127.0.0.1:1",
		"http://127.0.0.1:1/?s3cret",
		"tcp://u5er:s3cret@127.0.0.1:1",
		"unix://u5er:s3cret@/nowhere?s3cret",
		"ftp://u5er:s3cret@127.0.0.1:1",
		"u5er:s3cret@127.0.0.1:1",
		"ws://u5er:s3cret%zz@127.0.0.1:1",
		"ws://u5er:s3cret/@127.0.0.1:1",
		"ws://u5er:s3c ret@127.0.0.1:1?s3cret",
		"ws://127.0.0.1:s3cret@",
		"://u5er:s3cret@127.0.0.1",
		"ws://127.0.0.1:1/\n?s3cret",
	} {
		_, err := rpc.Dial(t.Context(), url, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "rpc: dial ") {
			t.Errorf("%s: %v", url, err)
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if s := err.Error(); strings.Contains(s, "s3c") || strings.Contains(s, "u5er") {
				t.Errorf("%s: %s", url, s)
			}
		}
	}
}

// What a connection says of failures to make it again has none either.
func TestStatesHaveNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refuse atomic.Bool
		network := &rpctest.Network{Plan: func(int) rpctest.Plan { return rpctest.Plan{Refuse: refuse.Load()} }}
		ln, srv := network.Listen(), rpc.NewServer(nil)
		defer ln.Close()
		go http.Serve(ln, srv)
		conn, err := rpc.Dial(t.Context(), "ws://u5er:s3cret@server/rpc?s3cret", &rpc.DialOptions{NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		refuse.Store(true)
		network.Cut()
		time.Sleep(time.Hour) // until it has been tried
		st := conn.State()
		if st.Phase != rpc.Connecting || st.Cause == nil || network.Stats().Refused == 0 {
			t.Fatalf("%+v", st)
		}
		for err := st.Cause; err != nil; err = errors.Unwrap(err) {
			if strings.Contains(err.Error(), "s3cret") {
				t.Error(err)
			}
		}
	})
}

func TestDialFollowsARedirect(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/old", http.RedirectHandler("/new", http.StatusTemporaryRedirect))
	mux.Handle("/new", newInteropServer(t, nil))
	ts := serveHTTP(t, mux)
	everything(t, dial(t, ts.URL+"/old", rpc.DialOptions{}))
}

func TestDialCodecThatIsNotOffered(t *testing.T) {
	ts := serveHTTP(t, newInteropServer(t, nil))
	_, err := rpc.Dial(t.Context(), ts.URL, &rpc.DialOptions{Codec: cbor.Codec})
	if want := "rpc: dial " + ts.URL + ": the server does not offer wirecall.v1.cbor"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for _, url := range []string{"tcp://127.0.0.1:1", "unix:///nowhere"} {
		if _, err := rpc.Dial(t.Context(), url, &rpc.DialOptions{Codec: cbor.Codec}); err == nil {
			t.Error("CBOR on lines was dialed:", url)
		}
	}
}

func TestDialRefusesOtherURLs(t *testing.T) {
	for _, url := range []string{"", "localhost:80", "ftp://localhost", "ws://", "tcp://", "unix://", "://"} {
		conn, err := rpc.Dial(t.Context(), url, nil)
		if err == nil {
			t.Errorf("%q was dialed", url)
			conn.Close()
			continue
		}
		if !strings.HasPrefix(err.Error(), "rpc: dial") || strings.Count(err.Error(), "rpc: dial") != 1 {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// A page may connect from where the server is, and from where the server's
// owner allows; and so may it POST.
func TestOrigins(t *testing.T) {
	srv := newInteropServer(t, &rpc.ServerOptions{Origins: []string{"*.example.com", "https://app.example.org", "localhost:*"}})
	for origin, allowed := range map[string]bool{
		"":                                  true,
		"http://wirecall.test":              true,
		"https://wirecall.test":             true, // TLS may end before us
		"HTTP://WireCall.Test":              true,
		"http://wirecall.test:8080":         false,
		"https://a.example.com":             true,
		"http://A.EXAMPLE.com":              true,
		"https://example.com":               false,
		"https://a.example.com:444":         false,
		"https://app.example.org":           true,
		"http://app.example.org":            false,
		"http://localhost:5173":             true,
		"http://localhost":                  false,
		"https://evil.example":              false,
		"https://evilexample.com":           false,
		"https://evil/.example.com":         false,
		"null":                              false,
		"file://":                           false,
		"wirecall.test":                     false,
		"http://wirecall.test@evil.example": false,
		"http://evil.example#.example.com":  false,
	} {
		for name, r := range map[string]*http.Request{
			"handshake": handshake(),
			"POST":      post(`{"jsonrpc":"2.0","id":1,"method":"Interop.Caller"}`),
		} {
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			w := httptest.NewRecorder()
			srv.ServeHTTP(w, r)
			// A recorder cannot be hijacked: the handshake ends there, past the check.
			if (w.Code != http.StatusForbidden) != allowed {
				t.Errorf("%s from %q: status %d %s", name, origin, w.Code, w.Body)
			}
			cors := w.Header().Get("Access-Control-Allow-Origin")
			cookies := w.Header().Get("Access-Control-Allow-Credentials") == "true"
			if allowed && cors != origin || !allowed && cors != "" || cookies != (cors != "") {
				t.Errorf("%s from %q: Access-Control-Allow-Origin: %s, with cookies: %v", name, origin, cors, cookies)
			}
		}
	}
}

// Patterns may name what is no host, and what path.Match reads in its own way.
func TestOriginPatterns(t *testing.T) {
	for _, test := range []struct {
		patterns     string
		host, origin string
		allowed      bool
	}{
		{"null", "", "null", true},
		{"*", "", "null", true},
		{"*.example.com", "", "null", false},
		{"file://", "", "file://", true},
		{"file://*", "", "file://", true},
		{"*", "", "file://", true},
		{"null", "", "file://", false},
		{"", "null", "null", false}, // nobody's own host
		{"", "", "file://", false},
		{"*", "", "https://a.example", true},
		{"*", "", "chrome-extension://abcdef", true},
		{"chrome-extension://abcdef", "", "chrome-extension://abcdef", true},
		{"chrome-extension://abcdef", "", "chrome-extension://other", false},
		{"*", "", "nonsense", false},
		{"*", "", "http://", false},
		{"", "[::1]:8080", "http://[::1]:8080", true},
		{"", "[::1]", "http://[::1]", true},
		{"", "[::1]:80", "http://[::1]", true},
		{"", "[::1]", "http://[::2]", false},
		{"", "[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080", true},
		{"", "[::1]:8080", "http://[0:0::0:1]:8080", true},
		{"", "[2001:DB8::0080]:443", "https://[2001:db8:0:0::80]", true},
		{"", "[2001:db8::80]", "http://[2001:db8::]", false},
		{"", "2001:db8::80", "http://[2001:db8::80]:80", true},
		{"", "2001:db8::80", "http://[2001:db8:]", false},
		{"", "[fe80::1%eth0]:8080", "http://[fe80::1]:8080", true},
		{"", "[fe80::1%25eth0]", "http://[fe80::1%25eth0]:80", true},
		{"", "[fe80::1%25eth0]", "http://[fe80::2%25eth0]", false},
		{"", "[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]", true},
		{"", "127.0.0.1", "http://[::ffff:7f00:1]", false},
		{"[0:0:0:0:0:0:0:1]:8080", "", "http://[::1]:8080", true},
		{"https://[::0001]:443", "", "https://[::1]", true},
		{"[::1]", "", "http://[0:0:0:0:0:0:0:1]", true},
		{"::1", "", "http://[::1]", true},
		{"[2001:db8::*]", "", "http://[2001:db8::5]", true},
		{"[::1]:8080", "", "http://[::1]:8080", true},
		{"http://[::1]:*", "", "http://[::1]:8080", true},
		{"[FE80::A]", "", "http://[fe80::a]", true},
		{"[::1]", "", "http://1", false},
		{"[ab].example", "", "http://b.example", true},
		{"", "a.example:80", "http://a.example", true},
		{"", "a.example:443", "https://a.example", true},
		{"", "a.example", "https://a.example:443", true},
		{"", "a.example:443", "http://a.example", false},
		{"", "a.example:80", "https://a.example", false},
		{"a.example:443", "", "https://a.example", true},
		{"a.example:443", "", "http://a.example", false},
		{"https://a.example:443", "", "https://a.example", true},
		{"http://a.example:443", "", "https://a.example", false},
	} {
		opts := &rpc.ServerOptions{}
		if test.patterns != "" {
			opts.Origins = []string{test.patterns}
		}
		r, w := handshake(), httptest.NewRecorder()
		r.Header.Set("Origin", test.origin)
		if test.host != "" {
			r.Host = test.host
		}
		rpc.NewServer(opts).ServeHTTP(w, r)
		if (w.Code != http.StatusForbidden) != test.allowed {
			t.Errorf("%q at %q with Origins %q: status %d, allowed %v", test.origin, r.Host, test.patterns, w.Code, test.allowed)
		}
	}
}

// What is refused is quoted, but not half a megabyte of it.
func TestLongOriginIsNotQuotedBack(t *testing.T) {
	r, w := handshake(), httptest.NewRecorder()
	r.Header.Set("Origin", "https://"+strings.Repeat("x", 1<<19))
	newInteropServer(t, nil).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || w.Body.Len() > 300 {
		t.Errorf("status %d with %d bytes", w.Code, w.Body.Len())
	}
}

func handshake() *http.Request {
	r := httptest.NewRequest("GET", "http://wirecall.test/", nil)
	r.Header = http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	return r
}

func post(body string) *http.Request {
	r := httptest.NewRequest("POST", "http://wirecall.test/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// Over the wire it is the same, and the error says what to do.
func TestForeignOriginIsRefused(t *testing.T) {
	ts := serveHTTP(t, newInteropServer(t, &rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}}))
	_, err := rpc.Dial(t.Context(), ts.URL, &rpc.DialOptions{Header: http.Header{"Origin": {"https://evil.example"}}})
	if err == nil || !strings.Contains(err.Error(), `403 Forbidden: origin "https://evil.example" is not allowed: see rpc.ServerOptions.Origins`) {
		t.Error(err)
	}
	dial(t, ts.URL, rpc.DialOptions{Header: http.Header{"Origin": {ts.URL}}})
}

// Before it POSTs JSON from another origin a browser asks whether it may.
func TestPreflight(t *testing.T) {
	srv := newInteropServer(t, &rpc.ServerOptions{Origins: []string{"*.example.com"}})
	for origin, want := range map[string]int{"https://a.example.com": 204, "https://evil.example": 403} {
		r := httptest.NewRequest("OPTIONS", "http://wirecall.test/", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,traceparent,x-request-id")
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("from %s: status %d, want %d", origin, w.Code, want)
		}
		if want != 204 {
			continue
		}
		for k, v := range map[string]string{
			"Access-Control-Allow-Origin":      origin,
			"Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Methods":     "POST",
			"Access-Control-Allow-Headers":     "authorization,content-type,traceparent,x-request-id",
			"Access-Control-Max-Age":           "7200",
			"Vary":                             "Origin, Access-Control-Request-Headers",
		} {
			if got := strings.Join(w.Header().Values(k), ", "); got != v {
				t.Errorf("%s: %q, want %q", k, got, v)
			}
		}
	}
}
