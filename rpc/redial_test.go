package rpc_test

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// never is a delay that does not pass in a test, also if a part of it is drawn.
const never = 100 * 365 * 24 * time.Hour

// Reconnect starts the backoff anew: the attempts after it are frequent again.
func TestReconnectStartsBackoffAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breakable(t, "tcp", nil, nil, services()...)
		b.refuse.Store(true)
		b.network.Cut()
		time.Sleep(10 * time.Minute) // an attempt each 15 to 30 s
		before := b.network.Stats().Refused
		b.Reconnect()
		time.Sleep(time.Second)
		if n := b.network.Stats().Refused - before; n < 4 {
			t.Errorf("%d attempts in a second", n)
		}
	})
}

// Reconnect does nothing while the connection is established. It does not keep one from
// having an effect that follows within a second, when the connection is lost.
func TestReconnectWhileConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breakable(t, "tcp", nil, &rpc.DialOptions{Reconnect: rpc.Reconnect{MinDelay: never, MaxDelay: never}}, services()...)
		b.Reconnect()
		b.refuse.Store(true)
		b.network.Cut()
		synctest.Wait()
		if n := b.network.Stats().Refused; n != 0 {
			t.Errorf("%d attempts before the delay", n)
		}
		b.Reconnect()
		synctest.Wait()
		if n := b.network.Stats().Refused; n != 1 {
			t.Errorf("%d attempts, want 1", n)
		}
	})
}

// A client that leaves a server which shuts down waits for its part of DrainSpread,
// whatever happened before that.
func TestDrainSpreadIsNotCutShort(t *testing.T) {
	for name, before := range map[string]func(*testing.T, *breaking){
		"nothing": func(*testing.T, *breaking) {},
		"a call that waited": func(t *testing.T, b *breaking) {
			b.refuse.Store(true)
			b.network.Cut()
			b.await(t, rpc.Connecting)
			call := inFlight(b, &rpc.Call{Method: to("Test.Nothing")})
			time.Sleep(time.Minute)
			b.refuse.Store(false)
			if err := <-call; err != nil {
				t.Error(err)
			}
		},
		"a Reconnect": func(t *testing.T, b *breaking) {
			time.Sleep(time.Minute) // since the observer has called it
			b.network.Cut()
			synctest.Wait()
			b.await(t, rpc.Connected) // the observer has called it again
		},
		"a Reconnect at the time": func(_ *testing.T, b *breaking) {
			time.AfterFunc(time.Second, b.Reconnect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := breakable(t, "tcp", &rpc.ServerOptions{}, &rpc.DialOptions{
					Reconnect: rpc.Reconnect{DrainSpread: never},
					Observers: []*rpc.Observer{{Conn: func(_ context.Context, conn *rpc.Conn, _ *http.Request) func(error) {
						conn.Reconnect()
						return nil
					}}},
				}, services()...)
				before(t, b)
				conns, running := b.network.Stats().Conns, inFlight(b, &rpc.Call{Method: to("Test.Sleep", "ms"), Params: &[]int{600_000}})
				synctest.Wait()
				go b.srv.Load().Shutdown(context.Background())
				time.Sleep(time.Minute)
				if n := b.network.Stats().Conns - conns; n != 0 {
					t.Errorf("%d attempts", n)
				}
				if err := <-running; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// While the connection is made again State.Cause is the error of the latest attempt. It
// is nil while the connection to a server that shuts down still carries calls.
func TestCauseOfFailedAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breakable(t, "tcp", nil, &rpc.DialOptions{Reconnect: rpc.Reconnect{DrainSpread: time.Millisecond}}, services()...)
		running := inFlight(b, &rpc.Call{Method: to("Test.Sleep", "ms"), Params: &[]int{60_000}})
		synctest.Wait()
		b.refuse.Store(true)
		go b.srv.Load().Shutdown(context.Background())
		time.Sleep(30 * time.Second)
		if st := b.State(); st.Phase != rpc.Connected || st.Cause != nil || b.network.Stats().Refused == 0 {
			t.Errorf("the call runs: %+v, %+v", st, b.network.Stats())
		}
		if err := <-running; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if st := b.State(); st.Phase != rpc.Connecting || st.Cause == nil || !strings.Contains(st.Cause.Error(), "refused") {
			t.Errorf("after it: %+v", st)
		}
	})
}

// States yields the time of an attempt when it is scheduled, though nothing else of the
// state has changed.
func TestStatesYieldNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breakable(t, "tcp", nil, &rpc.DialOptions{Reconnect: rpc.Reconnect{DrainSpread: time.Second, MinDelay: never, MaxDelay: never}}, services()...)
		running := inFlight(b, &rpc.Call{Method: to("Test.Sleep", "ms"), Params: &[]int{60_000}})
		synctest.Wait()
		var last atomic.Pointer[rpc.State]
		go func() {
			for st := range b.States(t.Context()) {
				last.Store(&st)
			}
		}()
		synctest.Wait()
		go b.srv.Load().Shutdown(context.Background())
		time.Sleep(2 * time.Second)
		if st := last.Load(); st.Phase != rpc.Connected || time.Until(st.Retry) < time.Hour {
			t.Errorf("%+v", st)
		}
		if err := <-running; err != nil {
			t.Error(err)
		}
	})
}

// A stream with a cursor continues in its session, however many attempts fail before
// that is resumed: its method is not called again.
func TestCursorStreamOverFailedAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		goOn := make(chan struct{})
		b := breakable(t, "tcp", nil, nil, entries(func(_ context.Context, after int) iter.Seq2[entry, error] {
			calls.Add(1)
			return func(yield func(entry, error) bool) {
				if yield(entry{after + 1}, nil) {
					<-goOn
					yield(entry{after + 2}, nil)
				}
			}
		}))
		seq, err := follow(t.Context(), b, 0)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e, err := range seq {
			if n++; err != nil || e.ID != n {
				t.Fatal(e, err)
			}
			if n == 1 {
				b.refuse.Store(true)
				b.network.Cut()
				time.Sleep(10 * time.Second)
				b.refuse.Store(false)
				close(goOn)
			}
		}
		if n != 2 || calls.Load() != 1 || b.network.Stats().Refused == 0 {
			t.Errorf("%d entries of %d calls, %+v", n, calls.Load(), b.network.Stats())
		}
	})
}
