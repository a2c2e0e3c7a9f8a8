package rpc_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
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
		code                     int
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
				done := inFlight(b, &rpc.Call{Method: "Test.Work", Idempotent: tt.idempotent})
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
				e, ok := errors.AsType[*rpc.Error](err)
				switch {
				case tt.code == 0 && err != nil:
					t.Errorf("it failed: %v", err)
				case tt.code != 0 && (!ok || e.Code != tt.code || rpc.NotRun(err)):
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
				err := b.Call(ctx, &rpc.Call{Method: "Test.Work"})
				if failFast {
					if !rpc.NotRun(err) || time.Since(start) != 0 {
						t.Errorf("failing fast: %v after %v", err, time.Since(start))
					}
					return
				}
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
					t.Errorf("within its context: %v after %v", err, time.Since(start))
				}
				done := inFlight(b, &rpc.Call{Method: "Test.Work"})
				b.refuse.Store(false)
				if err := <-done; err != nil {
					t.Errorf("when it is back: %v", err)
				}
				if ran.Load() != 1 {
					t.Errorf("it ran %d times", ran.Load())
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
				seen = append(seen, s+strings.Repeat("'", st.Session-1))
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

// A server that says to stay away is not dialed again, nor is one that does not
// take the credentials.
func TestFinalClose(t *testing.T) {
	for _, code := range []int{1000, 1008, 4500, 4502} {
		overBoth(t, func(t *testing.T, scheme string) {
			b := breakable(t, scheme, nil, nil, method("Test.Leave", nil, func(ctx context.Context, _ *rpc.Call) error {
				go rpc.Peer(ctx).(*rpc.Conn).Close()
				return nil
			}))
			if code != 1000 {
				return // the others need a peer of another kind: see TestCloseCodes
			}
			_ = b.Call(t.Context(), &rpc.Call{Method: "Test.Leave"})
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
		opts.Reconnect.FirstToo = true
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := rpc.Dial(ctx, "tcp://server", opts); err == nil || !strings.Contains(err.Error(), "tcp://server") {
			t.Fatalf("in vain: %v", err)
		}
		time.AfterFunc(time.Minute, func() { go srv.Serve(context.Background(), network.Listen()) })
		conn, err := rpc.Dial(t.Context(), "tcp://server", opts)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		srv.Close()
		network.Cut()
	})
}
