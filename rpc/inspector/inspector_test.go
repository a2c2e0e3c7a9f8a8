package inspector_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/inspector"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// get answers a request for a path of an inspector, with headers as pairs. Host is one.
func get(h http.Handler, path string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "localhost:8080"
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// Only pages of the inspector's own origin reach it, by names that a foreign page cannot
// have.
func TestForeignersAreRefused(t *testing.T) {
	h := inspector.Handler(rpc.NewServer(nil), &inspector.Options{Hosts: []string{"admin.example.com"}})
	for _, c := range []struct {
		status int
		path   string
		header []string
	}{
		{200, "/", nil},
		{200, "/", []string{"Host", "127.0.0.1"}},
		{200, "/", []string{"Host", "[::1]:8080"}},
		{200, "/", []string{"Host", "LOCALHOST"}},
		{200, "/", []string{"Host", "Admin.Example.com:443"}},
		{403, "/", []string{"Host", "evil.example.com"}},
		{403, "/", []string{"Host", "localhost.evil.example.com:8080"}},
		{403, "/", []string{"Host", "10.0.0.1"}},
		{403, "/", []string{"Host", ""}},
		{403, "/", []string{"Host", "localhost:80; script-src *"}},
		{403, "/", []string{"Host", "localhost:x"}},
		{403, "/connections", []string{"Host", "evil.example.com"}},
		{200, "/connections", []string{"Origin", "http://localhost:8080"}},
		{200, "/connections", []string{"Origin", "https://admin.example.com", "Host", "admin.example.com"}},
		{403, "/connections", []string{"Origin", "http://localhost:8081"}},
		{403, "/connections", []string{"Origin", "http://evil.example.com"}},
		{403, "/connections", []string{"Origin", "null"}},
		{200, "/connections", []string{"Sec-Fetch-Site", "same-origin"}},
		{403, "/connections", []string{"Sec-Fetch-Site", "cross-site"}},
		{403, "/connections", []string{"Sec-Fetch-Site", "same-site"}},
		{200, "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "document"}},
		{403, "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "iframe"}},
	} {
		if got := get(h, c.path, c.header...); got.StatusCode != c.status {
			t.Errorf("GET %s with %q: %s, want %d", c.path, c.header, got.Status, c.status)
		}
	}
}

// There is nothing else below the inspector, and nothing is changed through it.
func TestOtherRequests(t *testing.T) {
	h := inspector.Handler(rpc.NewServer(nil), nil)
	for _, path := range []string{"/page.html", "/config/", "/connections/1", "/socket", "/src/main.ts", "/..", "//", "/index.html"} {
		if got := get(h, path); got.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %s", path, got.Status)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		r := httptest.NewRequest(method, "/", strings.NewReader("{}"))
		r.Host = "localhost"
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

// The page runs its own script alone, and no other page can frame it.
func TestPolicy(t *testing.T) {
	h := inspector.Handler(rpc.NewServer(nil), &inspector.Options{URL: "wss://api.example.com/rpc?key=1"})
	got := get(h, "/")
	policy := got.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
		"require-trusted-types-for 'script'", "connect-src 'self' ws://localhost:8080 wss://localhost:8080 ws://api.example.com wss://api.example.com;"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s: %s", part, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error(policy)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8"} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
}

// A server has no inspector unless one is mounted.
func TestOffByDefault(t *testing.T) {
	for _, path := range []string{"/inspect/", "/", "/connections"} {
		if got := get(rpc.NewServer(nil), path); got.StatusCode == http.StatusOK {
			t.Errorf("GET %s of a server: %s", path, got.Status)
		}
	}
}

// connections is what an inspector says of a server's connections.
func connections(t *testing.T, h http.Handler) (got struct {
	Total       int
	Connections []struct {
		ID               int
		Phase            string
		Codec            string
		Plain, Resumable bool
		InFlight         string
		Stats            rpc.Stats
	}
}) {
	t.Helper()
	if err := json.NewDecoder(get(h, "/connections").Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// Connections are numbered as they are seen, and shown with what is in flight.
func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		srv.Register(rpc.Service{Name: "Test", Methods: []*rpc.Method{{Name: "Test.Wait",
			New:   func() (any, any) { return nil, nil },
			Serve: func(ctx context.Context, _ any, _ *rpc.Call) error { <-ctx.Done(); return ctx.Err() },
		}}})
		h := inspector.Handler(srv, nil)
		if got := connections(t, h); got.Total != 0 || got.Connections == nil {
			t.Errorf("without connections: %+v", got)
		}
		first := rpctest.Pair(t.Context(), t, srv, nil)
		connections(t, h)
		second := rpctest.Pair(t.Context(), t, srv, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go second.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Test.Wait"}})
		synctest.Wait()
		got := connections(t, h)
		if got.Total != 2 || got.Connections[0].ID != 1 || got.Connections[1].ID != 2 || got.Connections[0].Stats.CallsServed != 0 || got.Connections[1].Stats.CallsServed != 1 ||
			got.Connections[1].Phase != "connected" || got.Connections[1].Codec != "json" || got.Connections[1].Plain ||
			got.Connections[0].InFlight != "" || got.Connections[1].InFlight != "1 call (Test.Wait: 1)" {
			t.Errorf("with two: %+v", got)
		}
		cancel()
		first.Close()
		synctest.Wait()
		if got := connections(t, h); got.Total != 1 || got.Connections[0].ID != 2 || got.Connections[0].Stats.CallsServed != 0 || got.Connections[0].InFlight != "" {
			t.Errorf("with the second alone: %+v", got)
		}
	})
}
