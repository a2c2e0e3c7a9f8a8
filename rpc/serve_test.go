package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// Serve returns ErrServerClosed after the server's end, and the cause when its
// context ends, which ends its connections. It closes the listener in any case.
func TestServeReturns(t *testing.T) {
	reason := errors.New("the reason")
	for name, test := range map[string]struct {
		end  func(*rpc.Server, context.CancelCauseFunc, net.Listener)
		want error
	}{
		"close":        {func(s *rpc.Server, _ context.CancelCauseFunc, _ net.Listener) { s.Close() }, rpc.ErrServerClosed},
		"shutdown":     {func(s *rpc.Server, _ context.CancelCauseFunc, _ net.Listener) { s.Shutdown(context.Background()) }, rpc.ErrServerClosed},
		"context":      {func(_ *rpc.Server, cancel context.CancelCauseFunc, _ net.Listener) { cancel(reason) }, reason},
		"the listener": {func(_ *rpc.Server, _ context.CancelCauseFunc, ln net.Listener) { ln.Close() }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := new(rpctest.Network)
				srv, ln := server(nil, services()...), network.Listen()
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				served := make(chan error, 1)
				go func() { served <- srv.Serve(ctx, ln) }()
				conn, err := rpc.Dial(t.Context(), "tcp://server", &rpc.DialOptions{NetDial: network.Dial, Reconnect: rpc.Reconnect{Disabled: true}})
				if err != nil {
					t.Fatal(err)
				}
				test.end(srv, cancel, ln)
				if err := <-served; !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
				if name == "the listener" {
					if sum, err := NewSubjectClient(conn).Add(t.Context(), 1, 2); err != nil || sum != 3 {
						t.Errorf("%d, %v", sum, err)
					}
					conn.Close()
				}
				<-conn.Done()
				network.Listen().Close() // panics while the other is open
				srv.Close()
				if err := srv.Serve(t.Context(), network.Listen()); err != rpc.ErrServerClosed {
					t.Errorf("closed before: %v", err)
				}
				network.Listen().Close()
			})
		})
	}
}

// The zero Server has the defaults, whatever is called first.
func TestZeroServer(t *testing.T) {
	for name, use := range map[string]func(*rpc.Server){
		"Register": func(s *rpc.Server) { s.Register(services()...) },
		"Close":    func(s *rpc.Server) { s.Close() },
		"Shutdown": func(s *rpc.Server) { s.Shutdown(t.Context()) },
		"Connections": func(s *rpc.Server) {
			for range s.Connections() {
				t.Error("a connection")
			}
		},
		"Methods": func(s *rpc.Server) {
			for range s.Methods() {
				t.Error("a method")
			}
		},
		"ServeHTTP": func(s *rpc.Server) { callPOST(t, s, "Test.Nop") },
		"Caller": func(s *rpc.Server) {
			ctx, cancel := context.WithCancel(t.Context())
			s.Caller(ctx).Call(ctx, &rpc.Call{Method: to("Test.Nop")})
			cancel()
		},
		"ServeConn": func(s *rpc.Server) {
			near, far := net.Pipe()
			near.Close()
			if err := s.ServeConn(t.Context(), far); err != io.EOF {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { use(new(rpc.Server)) })
	}
}

// Connections are those that are there, detached ones among them.
func TestConnections(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, nil, method("Test.Nop", nil, nop))
		srv := b.srv.Load()
		if n := len(slices.Collect(srv.Connections())); n != 1 {
			t.Errorf("%d connections", n)
		}
		b.refuse.Store(true)
		b.network.Cut()
		b.await(t, rpc.Detached)
		synctest.Wait()
		for conn := range srv.Connections() {
			if p := conn.State().Phase; p != rpc.Detached {
				t.Errorf("it is %v", p)
			}
			conn.Close()
		}
		if n := len(slices.Collect(srv.Connections())); n != 0 {
			t.Errorf("%d connections after their end", n)
		}
	})
}

func TestMethods(t *testing.T) {
	var srv rpc.Server
	srv.Register(method("Test.B", nil, nop), method("Test.A", nil, nop))
	var names []string
	for m := range srv.Methods() {
		names = append(names, m.Name)
	}
	if !slices.Equal(names, []string{"Test.A", "Test.B"}) {
		t.Error(names)
	}
}

type whoKey struct{}

// What a server calls in its own process goes through its interceptors, with the
// caller's values, for generated clients with streams as for tools with JSON.
func TestCallerInProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		srv := server(&rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
			who, _ := ctx.Value(whoKey{}).(string)
			seen = append(seen, who+" "+c.Method.Name)
			return next(ctx, c)
		}}}, services()...)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), whoKey{}, "ann"))
		caller := srv.Caller(ctx)
		client := NewSubjectClient(caller)
		numbers, err := client.Count(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := collect(numbers); err != nil || !slices.Equal(all, []int{1, 2, 3}) {
			t.Errorf("%v, %v", all, err)
		}
		var sum json.RawMessage
		err = caller.Call(t.Context(), &rpc.Call{Method: to("Test.Add"), Params: json.RawMessage(`{"a":1,"b":2}`), Result: &sum})
		if err != nil || string(sum) != "3" {
			t.Errorf("%s, %v", sum, err)
		}
		err = caller.Call(t.Context(), &rpc.Call{Method: to("Test.Nowhere")})
		if !errors.Is(err, rpc.CodeMethodNotFound) {
			t.Error(err)
		}
		cancel()
		synctest.Wait()
		if err := caller.Call(t.Context(), &rpc.Call{Method: to("Test.Add")}); !errors.Is(err, rpc.CodeUnavailable) || !rpc.NotRun(err) {
			t.Error(err)
		}
		if want := []string{"ann Test.Count", "ann Test.Add"}; !slices.Equal(seen, want) {
			t.Errorf("%q, want %q", seen, want)
		}
	})
}
