package docs_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// dialWithJar keeps the cookies that a proxy gives.
func dialWithJar(ctx context.Context, url string) (*rpc.Conn, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return rpc.Dial(ctx, url, &rpc.DialOptions{Resume: true, HTTPClient: &http.Client{Jar: jar}})
}

func newMux(srv *rpc.Server, ready *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/rpc", srv)
	mux.HandleFunc("/live", func(w http.ResponseWriter, r *http.Request) {})
	mux.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if !ready.Load() {
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
		}
	})
	return mux
}

// A client whose socket is lost shows the cookie that it was given, as a balancer
// needs it, and resumes its session. Readiness is one thing, liveness another.
func TestBehindBalancer(t *testing.T) {
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
	defer srv.Close()
	srv.Register(files.StoreService(&files.Memory{}))
	var ready atomic.Bool
	mux := newMux(srv, &ready)
	cookies := make(chan string, 2)
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/rpc" {
			cookies <- r.Header.Get("Cookie")
			http.SetCookie(w, &http.Cookie{Name: "SERVER", Value: "one"})
		}
		mux.ServeHTTP(w, r)
	}))
	network := &rpctest.Network{}
	hs.Listener = network.Listener(hs.Listener)
	hs.Start()
	defer hs.Close()

	conn, err := dialWithJar(t.Context(), hs.URL+"/rpc")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if c := <-cookies; c != "" {
		t.Errorf("the first handshake has the cookie %q", c)
	}
	network.Cut()
	if c := <-cookies; c != "SERVER=one" {
		t.Errorf("the second handshake has the cookie %q", c)
	}
	for state := range conn.States(t.Context()) {
		if state.Phase == rpc.Connected && state.Session != 1 {
			t.Error("another session")
		}
		if state.Phase == rpc.Connected {
			break
		}
	}
	for _, path := range []string{"/live", "/ready"} {
		for _, up := range []bool{false, true} {
			ready.Store(up)
			want := http.StatusOK
			if path == "/ready" && !up {
				want = http.StatusServiceUnavailable
			}
			resp, err := http.Get(hs.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s is %d, want %d", path, resp.StatusCode, want)
			}
		}
	}
}
