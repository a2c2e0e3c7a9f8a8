package rpc_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// Nothing is kept of a client whose socket has ended without a goodbye, on either
// side, once its session has ended.
func TestNothingIsRetained(t *testing.T) {
	const clients = 10
	for name, resume := range map[string]bool{"once": false, "resumable": true} {
		t.Run(name, func(t *testing.T) {
			var kept atomic.Int64
			kept.Store(2 * clients)
			watched := func(ctx context.Context) context.Context {
				v := new([8]int)
				runtime.AddCleanup(v, func(n int64) { kept.Add(n) }, -1)
				return context.WithValue(ctx, watchedKey{}, v)
			}
			srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{Window: time.Millisecond}})
			srv.Register(services()...)
			hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				srv.ServeHTTP(w, r.WithContext(watched(r.Context())))
			}))
			defer hs.Close()
			defer srv.Close()
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() { vanish(t, watched(t.Context()), hs.URL, resume) })
			}
			wg.Wait()
			for by := time.Now().Add(time.Minute); kept.Load() > 0 && time.Now().Before(by); {
				runtime.GC()
				time.Sleep(10 * time.Millisecond)
			}
			if n := kept.Load(); n > 0 {
				t.Errorf("%d of %d sessions are kept", n, 2*clients)
			}
		})
	}
}

type watchedKey struct{}

// vanish is a client whose socket is closed under it.
func vanish(t *testing.T, ctx context.Context, url string, resume bool) {
	var sock net.Conn
	conn, err := rpc.Dial(ctx, url, &rpc.DialOptions{Resume: resume, Reconnect: rpc.Reconnect{Disabled: !resume},
		NetDial: func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
			if sock != nil {
				return nil, net.ErrClosed
			}
			sock, err = new(net.Dialer).DialContext(ctx, network, addr)
			return sock, err
		}})
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := NewSubjectClient(conn).Add(ctx, 1, 2); err != nil {
		t.Error(err)
	}
	sock.Close()
	for st := range conn.States(ctx) {
		if st.Phase != rpc.Connected {
			break
		}
	}
	conn.Close()
}

// Nothing is kept of calls that have been answered, with a deadline or without one,
// while their connection goes on.
func TestNoCallIsRetained(t *testing.T) {
	const calls = 20
	var kept atomic.Int64
	kept.Store(2 * calls)
	type params struct { // too large to share its memory with others, which a cleanup must not
		addParams
		_ [64]byte
	}
	srv := server(nil, method("Test.Add", func() (any, any) {
		p := new(params)
		runtime.AddCleanup(p, func(n int64) { kept.Add(n) }, -1)
		return p, nil
	}, nop))
	conn := rpctest.Pair(t.Context(), t, srv, nil)
	limited, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for range calls {
		for _, ctx := range []context.Context{t.Context(), limited} {
			if err := conn.Call(ctx, &rpc.Call{Method: to("Test.Add", "a", "b"), Params: &addParams{1, 2}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for by := time.Now().Add(time.Minute); kept.Load() > 0 && time.Now().Before(by); {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	if n := kept.Load(); n > 0 {
		t.Errorf("%d of %d calls are kept", n, 2*calls)
	}
}
