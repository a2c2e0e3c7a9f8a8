package rpc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// Calls made while there is no socket are made on the next session where theirs is
// gone, as nothing of them has been sent; so are those with parameter streams, which
// begin when they are sent.
func TestCallsOutliveASessionThatWasDetached(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, nil, services()...)
		b.refuse.Store(true)
		b.network.Cut()
		b.await(t, rpc.Detached)
		subject := NewSubjectClient(b)
		added, summed := make(chan error, 1), make(chan error, 1)
		begun := 0
		go func() {
			v, err := subject.Add(context.Background(), 1, 2)
			added <- errors.Join(err, equal(v, 3))
		}()
		go func() {
			v, err := subject.Sum(context.Background(), func(yield func(int, error) bool) {
				begun++
				_ = yield(3, nil) && yield(4, nil)
			})
			summed <- errors.Join(err, equal(v, 7))
		}()
		synctest.Wait()
		if begun != 0 {
			t.Error("the stream has begun before its call was sent")
		}
		b.restart(services()...)
		b.refuse.Store(false)
		if err := errors.Join(<-added, <-summed); err != nil || begun != 1 {
			t.Errorf("%v; the stream has begun %d times", err, begun)
		}
		if st := b.State(); st.Session != 2 {
			t.Errorf("%+v", st)
		}
	})
}

func equal(got, want int) error {
	if got != want {
		return fmt.Errorf("got %d, want %d", got, want)
	}
	return nil
}

// The only server is replaced: streams with a cursor do not hold up its shutdown, and
// go on without a gap.
func TestCursorOverTheRestartOfTheOnlyServer(t *testing.T) {
	for _, sessions := range []*rpc.SessionOptions{nil, {}} {
		overBoth(t, func(t *testing.T, scheme string) {
			b := breakable(t, scheme, &rpc.ServerOptions{Sessions: sessions}, &rpc.DialOptions{Resume: sessions != nil}, feed())
			numbers, err := callFeed(t.Context(), b, 0)
			if err != nil {
				t.Fatal(err)
			}
			next, stop := iter.Pull2(numbers)
			defer stop()
			want := 0
			more := func() {
				want++
				if n, err, _ := next(); n != want || err != nil {
					t.Fatal(n, want, err)
				}
			}
			more()
			b.refuse.Store(true)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := b.srv.Load().Shutdown(ctx); err != nil {
				t.Error("the shutdown takes all of its time: ", err)
			}
			b.srv.Store(server(b.options, feed()))
			b.refuse.Store(false)
			start := time.Now()
			for range 10 {
				more()
			}
			if d := time.Since(start); d > 15*time.Second {
				t.Errorf("ten numbers took %v", d)
			}
		})
	}
}

// A server that says $/goaway behind each hello, and closes nothing, does not make a
// client hold ever more sockets.
func TestSessionsThatLeaveAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &rpctest.Network{}
		ln := network.Listen()
		var hellos, open, most atomic.Int64
		go func() {
			for {
				sock, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer sock.Close()
					most.Store(max(most.Load(), open.Add(1)))
					defer open.Add(-1)
					bufio.NewReader(sock).ReadString('\n')
					hellos.Add(1)
					fmt.Fprintln(sock, `{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":1,"streams":1,"message":65536}}`)
					fmt.Fprintln(sock, `{"jsonrpc":"2.0","method":"$/goaway"}`)
					io.Copy(io.Discard, sock)
				}()
			}
		}()
		conn, err := rpc.Dial(t.Context(), "tcp://server", &rpc.DialOptions{NetDial: network.Dial, Limits: rpc.Limits{IdleTimeout: -1}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if hellos.Load() < 20 || most.Load() > 6 { // four that leave, one, and the next
			t.Errorf("%d hellos, %d sockets at once", hellos.Load(), most.Load())
		}
		conn.Close()
		ln.Close()
	})
}

// Without reconnecting, what is called for behind $/goaway fails at once, while what
// runs goes on.
func TestGoawayWithoutReconnecting(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		var ran atomic.Int64
		goOn := make(chan struct{})
		b := breakable(t, scheme, nil, &rpc.DialOptions{Reconnect: rpc.Reconnect{Disabled: true}}, counted(&ran, goOn))
		running := inFlight(b, &rpc.Call{Method: to("Test.Work")})
		down := make(chan error, 1)
		go func() { down <- b.srv.Load().Shutdown(context.Background()) }()
		synctest.Wait()
		start := time.Now()
		for _, call := range []*rpc.Call{{Method: to("Test.Work")}, {Method: &rpc.Method{Name: "Test.Work", Idempotent: true}}, {Method: &rpc.Method{Name: "Test.Tell", Notify: true}}} {
			if err := b.Call(context.Background(), call); !rpc.NotRun(err) || time.Since(start) > 0 {
				t.Errorf("%+v: %v after %v", call.Method, err, time.Since(start))
			}
		}
		close(goOn)
		if err := errors.Join(<-running, <-down); err != nil || ran.Load() != 1 {
			t.Errorf("%v, ran %d times", err, ran.Load())
		}
		<-b.Done()
	})
}

// When the server refuses the credentials, calls fail with that, and not with how the
// socket before was lost.
func TestCallsSayThatCredentialsAreRefused(t *testing.T) {
	for _, failFast := range []bool{false, true} {
		for _, resume := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				network, srv := &rpctest.Network{}, server(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}}, services()...)
				var withdrawn atomic.Bool
				ln := network.Listen()
				go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if withdrawn.Load() {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					srv.ServeHTTP(w, r)
				}))
				conn, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{NetDial: network.Dial, Resume: resume, Reconnect: rpc.Reconnect{FailFast: failFast}})
				if err != nil {
					t.Fatal(err)
				}
				withdrawn.Store(true)
				network.Cut()
				synctest.Wait()
				waiting := make(chan error, 1)
				if !failFast {
					go func() { waiting <- NewSubjectClient(conn).Nothing(context.Background()) }()
				}
				for st := range conn.States(t.Context()) {
					if st.Phase == rpc.Refused {
						break
					}
				}
				if failFast {
					waiting <- NewSubjectClient(conn).Nothing(context.Background())
				}
				for _, err := range []error{<-waiting, NewSubjectClient(conn).Nothing(context.Background())} {
					if !errors.Is(err, rpc.CodeUnauthenticated) || !rpc.NotRun(err) {
						t.Errorf("fail fast %v, resume %v: %v", failFast, resume, err)
					}
				}
				conn.Close()
				srv.Close()
				ln.Close()
				network.Cut()
			})
		}
	}
}
