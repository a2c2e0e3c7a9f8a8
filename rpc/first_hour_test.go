package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A handler that passes on the error of a call which has not run has run itself.
func TestNotRunIsNotPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := rpctest.Connect(t.Context(), t, method("Test.Nop", nil, nop))
		gone.Close()
		front := rpctest.Connect(t.Context(), t, method("Test.Front", nil, func(ctx context.Context, _ *rpc.Call) error {
			err := gone.Call(ctx, &rpc.Call{Method: to("Test.Nop")})
			if !rpc.NotRun(err) {
				t.Errorf("a call over a closed connection: %v", err)
			}
			return fmt.Errorf("behind the front: %w", err)
		}))
		err := front.Call(t.Context(), &rpc.Call{Method: to("Test.Front")})
		if err == nil || rpc.NotRun(err) {
			t.Errorf("a call that has run says that it has not: %v", err)
		}
	})
}

// A call of a method that the server does not have has not run. A handler that makes such
// a call, or returns that code itself, has run.
func TestNotRunWithoutMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := rpctest.Connect(t.Context(), t)
		front := rpctest.Connect(t.Context(), t,
			method("Test.Pass", nil, func(ctx context.Context, _ *rpc.Call) error {
				return back.Call(ctx, &rpc.Call{Method: to("Test.None")})
			}),
			method("Test.Own", nil, func(context.Context, *rpc.Call) error { return rpc.CodeMethodNotFound }))
		for name, notRun := range map[string]bool{"Test.None": true, "Test.Pass": false, "Test.Own": false} {
			err := front.Call(t.Context(), &rpc.Call{Method: to(name)})
			if rpc.CodeOf(err) != rpc.CodeMethodNotFound || rpc.NotRun(err) != notRun {
				t.Errorf("%s: %v, not run: %v", name, err, rpc.NotRun(err))
			}
		}
	})
}

// A middleware that hides the connection is answered, and told in the log what
// is the matter, at once.
func TestMiddlewareThatHidesTheConnection(t *testing.T) {
	var log bytes.Buffer
	srv := server(&rpc.ServerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	}))
	defer hs.Close()
	if _, err := rpc.Dial(t.Context(), hs.URL, nil); err == nil || !strings.Contains(err.Error(), "501") {
		t.Errorf("Dial: %v", err)
	}
	if !strings.Contains(log.String(), "Unwrap") {
		t.Errorf("the log says %q", &log)
	}
}

// The error of Dial has a code to go by, and says once what was dialed.
func TestDialErrors(t *testing.T) {
	for status, code := range map[int]rpc.Code{
		http.StatusUnauthorized:       rpc.CodeUnauthenticated,
		http.StatusForbidden:          rpc.CodePermissionDenied,
		http.StatusServiceUnavailable: rpc.CodeUnavailable,
		http.StatusOK:                 rpc.CodeUnavailable,
	} {
		hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the reason", status)
		}))
		defer hs.Close()
		_, err := rpc.Dial(t.Context(), hs.URL, nil)
		e, ok := errors.AsType[*rpc.Error](err)
		if !ok || e.Code != code || !strings.HasSuffix(e.Message, "the reason") || strings.Count(e.Message, hs.URL) != 1 {
			t.Errorf("%d: %v", status, err)
		}
	}
	for _, url := range []string{"ws://127.0.0.1:1", "tcp://127.0.0.1:1"} { // a port that was closed just now may be somebody's already
		_, err := rpc.Dial(t.Context(), url, nil)
		e, ok := errors.AsType[*rpc.Error](err)
		if !ok || e.Code != rpc.CodeUnavailable || !rpc.NotRun(err) || strings.Count(e.Message, "rpc: dial "+url) != 1 {
			t.Errorf("where nobody listens: %v", err)
		}
		if _, ok := errors.AsType[*net.OpError](err); !ok {
			t.Errorf("the cause cannot be found in %v", err)
		}
	}
}

// What a caller reads when the server has shut down is about the connection, and
// in words of ours.
func TestWordsOfAClosedConnection(t *testing.T) {
	srv := server(nil, method("Test.Wait", nil, func(ctx context.Context, _ *rpc.Call) error {
		<-ctx.Done()
		return nil
	}))
	hs := httptest.NewServer(srv)
	defer hs.Close()
	conn, err := rpc.Dial(t.Context(), hs.URL, &rpc.DialOptions{Reconnect: rpc.Reconnect{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go srv.Close()
	<-conn.Done()
	err = conn.Call(t.Context(), &rpc.Call{Method: to("Test.Wait")})
	if err == nil || !strings.Contains(err.Error(), "the peer closed it") {
		t.Error(err)
	}
}

// The handler of an endless stream learns of the shutdown by Draining, and ends it.
func TestDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := rpc.Errorf(rpc.CodeUnavailable, "come again")
		srv := server(nil, streamMethod("Test.Feed", func(ctx context.Context) gen1.Stream {
			return gen1.Send(func(yield func(int, error) bool) {
				if !yield(1, nil) {
					return
				}
				select {
				case <-rpc.Draining(ctx):
					yield(0, again)
				case <-ctx.Done():
				}
			})
		}))
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		var s gen1.Stream
		if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Feed"), Result: &s}); err != nil {
			t.Fatal(err)
		}
		down := make(chan error)
		go func() {
			synctest.Wait()
			down <- srv.Shutdown(t.Context())
		}()
		items, err := rpc.Collect(gen1.Receive[int](s))
		if len(items) != 1 || err == nil || err.Error() != "come again" {
			t.Errorf("%v, %v", items, err)
		}
		if err := <-down; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// A stuckPipe is a stream whose Close does not unblock its Read, as a terminal's.
type stuckPipe struct{ net.Conn }

func (stuckPipe) Close() error { return nil }

// Close comes back from a stream that it cannot close.
func TestCloseOfWhatDoesNotClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go server(nil).ServeConn(context.Background(), far)
		conn, err := rpc.NewConn(t.Context(), stuckPipe{near}, nil)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		far.Close()
	})
}
