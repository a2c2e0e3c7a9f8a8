package rpc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// counted is a service whose one method counts how often it has been run and
// then waits for go on.
func counted(ran *atomic.Int64, goOn <-chan struct{}) rpc.Service {
	return method("Test.Work", nil, func(ctx context.Context, _ *rpc.Call) error {
		ran.Add(1)
		select {
		case <-goOn:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// inFlight makes a call and waits until its handler runs.
func inFlight(conn rpc.Caller, call *rpc.Call) <-chan error {
	done := make(chan error, 1)
	go func() { done <- conn.Call(context.Background(), call) }()
	synctest.Wait()
	return done
}

// A call in flight when the socket is lost, and what becomes of it.
func TestCallOverCut(t *testing.T) {
	for name, tt := range map[string]struct {
		resume, idempotent, gone bool
		ran                      int64
		code                     rpc.Code
		cut                      time.Duration // how long nobody can be reached
	}{
		"resumed":                         {resume: true, ran: 1},
		"resumed late":                    {resume: true, ran: 1, cut: time.Minute},
		"session lost":                    {resume: true, gone: true, ran: 1, code: rpc.CodeSessionLost},
		"session lost, idempotent":        {resume: true, gone: true, idempotent: true, ran: 2},
		"nobody for longer than it lasts": {resume: true, ran: 1, code: rpc.CodeSessionLost, cut: time.Hour},
		"not resumable":                   {ran: 1, code: rpc.CodeUnavailable},
		"not resumable, idempotent":       {idempotent: true, ran: 2},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, scheme string) {
				var ran atomic.Int64
				goOn := make(chan struct{})
				service := counted(&ran, goOn)
				b := breakable(t, scheme, nil, &rpc.DialOptions{Resume: tt.resume}, service)
				done := inFlight(b, &rpc.Call{Method: &rpc.Method{Name: "Test.Work", Idempotent: tt.idempotent}})
				if tt.gone {
					b.restart(service)
				} else if tt.cut > 0 {
					b.refuse.Store(true)
					time.AfterFunc(tt.cut, func() { b.refuse.Store(false) })
				}
				b.network.Cut()
				time.Sleep(time.Minute + tt.cut)
				close(goOn)
				err := <-done
				switch {
				case rpc.CodeOf(err) != tt.code || rpc.NotRun(err):
					t.Errorf("it ended with %v", err)
				}
				if n := ran.Load(); n != tt.ran {
					t.Errorf("it ran %d times, want %d", n, tt.ran)
				}
				if st := b.await(t, rpc.Connected); (st.Session == 1) != (tt.resume && tt.code == 0 && !tt.gone) {
					t.Errorf("afterwards: %+v", st)
				}
			})
		})
	}
}

// Calls made while there is no socket wait for one within their contexts, or fail
// at once where that is asked for; none of them has run.
func TestCallWhileThereIsNoSocket(t *testing.T) {
	for _, resume := range []bool{true, false} {
		for _, failFast := range []bool{true, false} {
			overBoth(t, func(t *testing.T, scheme string) {
				var ran atomic.Int64
				goOn := make(chan struct{})
				close(goOn)
				b := breakable(t, scheme, nil, &rpc.DialOptions{Resume: resume, Reconnect: rpc.Reconnect{FailFast: failFast}}, counted(&ran, goOn))
				b.refuse.Store(true)
				b.network.Cut()
				synctest.Wait()
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := b.Call(ctx, &rpc.Call{Method: to("Test.Work")})
				if failFast {
					if !rpc.NotRun(err) || time.Since(start) != 0 {
						t.Errorf("failing fast: %v after %v", err, time.Since(start))
					}
					return
				}
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
					t.Errorf("within its context: %v after %v", err, time.Since(start))
				}
				done := inFlight(b, &rpc.Call{Method: to("Test.Work")})
				b.refuse.Store(false)
				if err := <-done; err != nil {
					t.Errorf("when it is back: %v", err)
				}
				if n := ran.Load(); n != 1 && !(resume && n == 2) { // one that was given up had been put into the session
					t.Errorf("it ran %d times", n)
				}
			})
		}
	}
}

// The phases that a connection goes through can be watched, each with its cause.
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breakable(t, "ws", nil, nil, services()...)
		var seen []string
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for st := range b.States(context.Background()) {
				s := st.Phase.String()
				if (st.Cause != nil) != (st.Phase != rpc.Connected) {
					t.Errorf("%+v", st)
				}
				s += strings.Repeat("'", st.Session-1)
				if !slices.Equal(seen[max(len(seen)-1, 0):], []string{s}) { // State.Retry may be another alone
					seen = append(seen, s)
				}
			}
		}()
		synctest.Wait()
		b.network.Cut()
		synctest.Wait()
		time.Sleep(time.Second)
		b.restart(services()...)
		b.network.Cut()
		synctest.Wait()
		time.Sleep(time.Minute)
		b.Close()
		<-watched
		got := strings.Join(seen, " ")
		if got != "connected detached connected detached connecting connected' closed'" && got != "connected detached connected detached connected' closed'" {
			t.Error(got)
		}
		if b.Err() != rpc.ErrClosed {
			t.Error(b.Err())
		}
	})
}

// A server that closes the connection does not get it back.
func TestFinalClose(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, nil, method("Test.Leave", nil, func(ctx context.Context, _ *rpc.Call) error {
			go rpc.Peer(ctx).(*rpc.Conn).Close()
			return nil
		}))
		_ = b.Call(t.Context(), &rpc.Call{Method: to("Test.Leave")})
		<-b.Done()
		if st := b.State(); st.Phase != rpc.Closed || !strings.Contains(b.Err().Error(), "1000") {
			t.Errorf("%+v: %v", st, b.Err())
		}
		time.Sleep(time.Minute)
		if n := b.network.Stats().Conns; n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// Dial keeps trying where it is asked to.
func TestFirstDialKeepsTrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		network := &rpctest.Network{}
		opts := &rpc.DialOptions{NetDial: network.Dial}
		if _, err := rpc.Dial(t.Context(), "tcp://server", opts); !rpc.NotRun(err) {
			t.Fatalf("without: %v", err)
		}
		opts.Reconnect.RetryFirst = true
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := rpc.Dial(ctx, "tcp://server", opts); err == nil || !strings.Contains(err.Error(), "tcp://server") {
			t.Fatalf("in vain: %v", err)
		}
		time.AfterFunc(time.Minute, func() {
			ln := network.Listen()
			context.AfterFunc(t.Context(), func() { ln.Close() })
			go srv.Serve(context.Background(), ln)
		})
		conn, err := rpc.Dial(t.Context(), "tcp://server", opts)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		srv.Close()
		network.Cut()
	})
}

// A deploy: what runs on the old server finishes there, what comes goes to the new
// one, and a stream with a cursor moves over at once.
func TestMoveToAnotherServer(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		var before, after atomic.Int64
		goOn := make(chan struct{})
		services := func(ran *atomic.Int64) []rpc.Service { return []rpc.Service{counted(ran, goOn), feed()} }
		b := breakable(t, scheme, nil, nil, services(&before)...)
		running := inFlight(b, &rpc.Call{Method: to("Test.Work")})
		numbers, err := callFeed(t.Context(), b, 0)
		if err != nil {
			t.Fatal(err)
		}
		next, stop := iter.Pull2(numbers)
		defer stop()
		for want := 1; want <= 3; want++ {
			if n, err, _ := next(); n != want || err != nil {
				t.Fatal(n, err)
			}
		}

		old := b.srv.Swap(server(b.options, services(&after)...))
		down := make(chan error, 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		go func() { down <- old.Shutdown(ctx) }()
		synctest.Wait()
		start := time.Now()
		moved := inFlight(b, &rpc.Call{Method: to("Test.Work")})
		for want := 4; want <= 30; want++ {
			if n, err, _ := next(); n != want || err != nil {
				t.Fatal(n, want, err)
			}
		}
		if d := time.Since(start); d > 28*time.Second {
			t.Errorf("the stream took %v", d)
		}
		if st := b.State(); st.Phase != rpc.Connected || st.Session != 2 || after.Load() != 1 || before.Load() != 1 {
			t.Errorf("%+v, ran %d times before and %d after", st, before.Load(), after.Load())
		}
		close(goOn)
		if err := errors.Join(<-running, <-moved, <-down); err != nil {
			t.Error(err)
		}
	})
}

// feed is a service with a stream of the numbers after a given one, one a second.
func feed() rpc.Service {
	return method("Test.Feed", func() (any, any) { return new(feedParams), new(gen1.Stream) }, func(ctx context.Context, c *rpc.Call) error {
		after := c.Params.(*feedParams).After
		*c.Result.(*gen1.Stream) = gen1.Send(func(yield func(int, error) bool) {
			for n := after + 1; yield(n, nil); n++ {
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
					return
				}
			}
		})
		return nil
	})
}

type feedParams struct{ After int }

func (*feedParams) names() []string { return []string{"after"} }
func (p *feedParams) Field(int) any { return &p.After }

// callFeed is as the generated client of feed would be.
func callFeed(ctx context.Context, conn rpc.Caller, after int) (iter.Seq2[int, error], error) {
	p := feedParams{after}
	call := &rpc.Call{Method: &rpc.Method{Name: "Test.Feed", Params: []string{"after"}, Idempotent: true}, Params: &p, Result: new(gen1.Stream)}
	err := conn.Call(ctx, call)
	return gen1.Cursor(ctx, conn, call, func(n int) { p.After = n }), err
}

// A server that shuts down does not send all of its clients to the next one in
// the same second, also where each of them has something to ask.
func TestClientsMoveOneByOne(t *testing.T) {
	for busy, spread := range map[bool]time.Duration{false: 5 * time.Second, true: 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			const clients = 200
			network := &rpctest.Network{}
			b := &breaking{}
			b.srv.Store(server(nil, services()...))
			ln := network.Listen()
			go b.serve(ln, "tcp")
			var first, last time.Time
			var wg sync.WaitGroup
			begin := make(chan struct{})
			var mu sync.Mutex
			for range clients {
				conn, err := rpc.Dial(t.Context(), "tcp://server", &rpc.DialOptions{NetDial: network.Dial})
				if err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					defer conn.Close()
					<-begin
					if busy {
						if err := NewSubjectClient(conn).Nothing(t.Context()); err != nil {
							t.Error(err)
						}
					}
					for st := range conn.States(t.Context()) {
						if st.Session == 2 {
							break
						}
					}
					mu.Lock()
					defer mu.Unlock()
					if last = time.Now(); first.IsZero() {
						first = last
					}
				})
			}
			old := b.srv.Swap(server(nil, services()...))
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			go old.Shutdown(ctx)
			synctest.Wait()
			close(begin)
			wg.Wait()
			if d := last.Sub(first); d < spread || d > 2*spread+time.Second {
				t.Errorf("busy %v: they came within %v", busy, d)
			}
			ln.Close()
			b.srv.Load().Close()
			old.Close()
		})
	}
}

// A server that breaks the rules on every connection is dialed ever less often.
func TestServerThatBreaksTheRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &rpctest.Network{}
		ln := network.Listen()
		defer ln.Close()
		go func() {
			for {
				sock, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer sock.Close()
					bufio.NewReader(sock).ReadString('\n')
					fmt.Fprintln(sock, `{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":1,"streams":1,"message":65536}}`)
					time.Sleep(time.Second)
					fmt.Fprintln(sock, "nonsense")
					io.Copy(io.Discard, sock)
				}()
			}
		}()
		conn, err := rpc.Dial(t.Context(), "tcp://server", &rpc.DialOptions{NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if n := network.Stats().Conns; n < 60 || n > 300 {
			t.Errorf("%d connections in an hour", n)
		}
		conn.Close()
		time.Sleep(time.Second) // until the last server has said its nonsense
	})
}

// Credentials that are no longer taken are not offered again.
func TestCredentialsWithdrawn(t *testing.T) {
	for status, code := range map[int]rpc.Code{http.StatusUnauthorized: rpc.CodeUnauthenticated, http.StatusForbidden: rpc.CodePermissionDenied} {
		synctest.Test(t, func(t *testing.T) {
			network, srv := &rpctest.Network{}, server(nil, services()...)
			var withdrawn atomic.Bool
			ln := network.Listen()
			defer ln.Close()
			defer srv.Close()
			go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if withdrawn.Load() {
					w.WriteHeader(status)
					return
				}
				srv.ServeHTTP(w, r)
			}))
			conn, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{NetDial: network.Dial})
			if err != nil {
				t.Fatal(err)
			}
			withdrawn.Store(true)
			network.Cut()
			time.Sleep(time.Hour)
			if st := conn.State(); st.Phase != rpc.Refused || !errors.Is(st.Cause, code) || network.Stats().Conns != 2 {
				t.Errorf("after %d: %+v, by %d connections", status, st, network.Stats().Conns)
			}
			conn.Close()
			network.Cut()
		})
	}
}

// The largest delays do not overflow.
func TestDelaysOfAnySize(t *testing.T) {
	for _, d := range []time.Duration{0, time.Second, 1<<63 - 1} {
		synctest.Test(t, func(t *testing.T) {
			b := breakable(t, "tcp", nil, &rpc.DialOptions{Reconnect: rpc.Reconnect{MinDelay: d, MaxDelay: d, DrainSpread: d}}, services()...)
			b.refuse.Store(true)
			b.network.Cut()
			time.Sleep(time.Minute)
			if st := b.State(); st.Phase != rpc.Connecting {
				t.Errorf("delays of %v: %+v", d, st)
			}
		})
	}
}

// A blink after a long outage costs no more than any other: the backoff begins anew
// with a connection that was of use, however short.
func TestBlinkAfterAnOutage(t *testing.T) {
	for _, resume := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := breakable(t, "ws", nil, &rpc.DialOptions{Resume: resume}, services()...)
			client := NewSubjectClient(b.Conn)
			b.refuse.Store(true)
			b.network.Cut()
			time.Sleep(time.Minute)
			b.refuse.Store(false)
			for blink := range 3 {
				if _, err := client.Add(t.Context(), 1, 2); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				b.network.Cut()
				synctest.Wait()
				begun := time.Now()
				b.await(t, rpc.Connected)
				if took := time.Since(begun); took > 200*time.Millisecond {
					t.Errorf("blink %d took %v", blink, took)
				}
			}
		})
	}
}

// Connections that are of use but do not last are made again ever less often, up to
// once a second.
func TestConnectionsThatDoNotLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breakable(t, "ws", nil, nil, services()...)
		client := NewSubjectClient(b.Conn)
		before := b.network.Stats().Conns
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if _, err := client.Add(t.Context(), 1, 2); err != nil {
				t.Fatal(err)
			}
			b.network.Cut()
			synctest.Wait()
		}
		if n := b.network.Stats().Conns - before; n < 50 || n > 70 {
			t.Errorf("%d connections in a minute", n)
		}
	})
}

// Reconnect tries at once, once a second at most.
func TestReconnectNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breakable(t, "ws", nil, nil, services()...)
		b.Reconnect() // nothing to do
		b.refuse.Store(true)
		b.network.Cut()
		time.Sleep(10 * time.Minute) // a try each 15 to 30 s
		refused := func() int { synctest.Wait(); return b.network.Stats().Refused }
		before := refused()
		for range 10 {
			b.Reconnect()
			synctest.Wait()
		}
		if n := refused() - before; n != 1 {
			t.Errorf("%d tries came of ten requests", n)
		}
		b.refuse.Store(false)
		time.Sleep(time.Second)
		begun := time.Now()
		b.Reconnect()
		b.await(t, rpc.Connected)
		if took := time.Since(begun); took > 0 {
			t.Errorf("it took %v", took)
		}
		b.Conn.Close()
		b.Reconnect()
	})
}

// Reconnect abandons a try that hangs, as behind a change of networks, and begins another
// at once. When that has succeeded, the wait after the next loss is not cut short.
func TestReconnectDuringATry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, srv := &rpctest.Network{}, server(nil, services()...)
		ln := network.Listen()
		go http.Serve(ln, srv)
		var dials, abandoned atomic.Int64
		century := 100 * 365 * 24 * time.Hour // the first wait is drawn from it
		conn, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{
			Reconnect: rpc.Reconnect{MinDelay: century, MaxDelay: century},
			NetDial: func(ctx context.Context, kind, addr string) (net.Conn, error) {
				if n := dials.Add(1); n == 2 || n == 3 {
					<-ctx.Done()
					abandoned.Add(1)
					return nil, context.Cause(ctx)
				}
				return network.Dial(ctx, kind, addr)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		network.Cut()
		synctest.Wait()
		for n := range int64(3) {
			for range 10 { // one a second counts
				conn.Reconnect()
				synctest.Wait()
			}
			if dials.Load() != n+2 || abandoned.Load() != n {
				t.Errorf("after second %d: %d sockets were dialed, %d abandoned", n, dials.Load(), abandoned.Load())
			}
			time.Sleep(time.Second)
		}
		if st := conn.State(); st.Phase != rpc.Connected {
			t.Errorf("after the try: %+v", st)
		}
		network.Cut()
		time.Sleep(time.Second)
		if n := dials.Load(); n != 4 {
			t.Errorf("%d sockets were dialed, want 4", n)
		}
		conn.Close()
		srv.Close()
		ln.Close()
	})
}

// A server that says for how long it wants to be left alone is.
func TestServerThatAsksForTime(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"seconds": func(w http.ResponseWriter) { w.Header().Set("Retry-After", "40") },
		"date": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", time.Now().Add(40*time.Second).UTC().Format(http.TimeFormat))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network, srv := &rpctest.Network{}, server(nil, services()...)
				var full atomic.Bool
				var tries atomic.Int64
				ln := network.Listen()
				go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if tries.Add(1); full.Load() {
						answer(w)
						w.WriteHeader(http.StatusServiceUnavailable)
						return
					}
					srv.ServeHTTP(w, r)
				}))
				conn, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{NetDial: network.Dial})
				if err != nil {
					t.Fatal(err)
				}
				full.Store(true)
				network.Cut()
				time.Sleep(39 * time.Second)
				if n := tries.Load(); n != 2 {
					t.Errorf("%d tries, with the first dial", n)
				}
				full.Store(false)
				time.Sleep(42 * time.Second)
				if st := conn.State(); st.Phase != rpc.Connected {
					t.Errorf("%+v", st)
				}
				conn.Close()
				srv.Close()
				ln.Close()
				network.Cut()
			})
		})
	}
}

// A call with a stream among its parameters is not made again, even if its method is
// declared as safe to repeat: what has been sent of the stream cannot be had again.
func TestUploadIsNotRepeated(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, nil, services()...)
		var begun atomic.Int64
		numbers := gen1.Send(func(yield func(int, error) bool) {
			begun.Add(1)
			for yield(1, nil) {
				time.Sleep(time.Second)
			}
		})
		sum := to("Test.Sum", "nums")
		sum.Idempotent = true
		done := inFlight(b, &rpc.Call{Method: sum, Params: &sumParams{numbers}, Result: new(int)})
		b.restart(services()...)
		time.Sleep(time.Minute)
		select {
		case err := <-done:
			if rpc.CodeOf(err) != rpc.CodeSessionLost {
				t.Error(err)
			}
		default:
			t.Error("the call is made again")
		}
		if st := b.State(); st.Phase != rpc.Connected || begun.Load() != 1 {
			t.Errorf("%+v, the stream has begun %d times", st, begun.Load())
		}
	})
}

// A stream behind a cursor goes on with the next server also if its call was answered
// by the last one and the user first ranges over it when that has been left.
func TestStreamOfServerThatWasLeft(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, nil, feed())
		p := feedParams{}
		call := &rpc.Call{Method: to("Test.Feed", "after"), Params: &p, Result: new(gen1.Stream)}
		if err := b.Call(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		old := b.srv.Swap(server(b.options, feed()))
		down := make(chan error, 1)
		go func() { down <- old.Shutdown(context.Background()) }()
		for st := range b.States(t.Context()) {
			if st.Session == 2 {
				break
			}
		}
		next := 1
		for n, err := range gen1.Cursor(t.Context(), b, call, func(n int) { p.After = n }) {
			if n != next || err != nil {
				t.Fatal(n, next, err)
			}
			if next++; next > 3 {
				break
			}
			synctest.Wait()
			select {
			case err := <-down:
				down <- err
			default:
				t.Fatal("the server that was left still produces the stream")
			}
		}
		if err := <-down; err != nil {
			t.Error(err)
		}
	})
}
