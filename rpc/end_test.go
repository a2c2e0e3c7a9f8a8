package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A call that finds the connection ending is told why, at every moment.
func TestCallWhileClosing(t *testing.T) {
	for range 300 {
		conn := rpctest.Connect(t.Context(), t, method("Test.Nop", nil, nop))
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				<-start
				for {
					if err := conn.Call(context.Background(), &rpc.Call{Method: to("Test.Nop")}); err != nil {
						if !strings.Contains(err.Error(), rpc.ErrClosed.Error()) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		close(start)
		conn.Close()
		wg.Wait()
	}
}

// A context or a server that ends while a connection begins ends it.
func TestEndAtTheBeginning(t *testing.T) {
	for range 100 {
		srv := server(nil)
		ctx, cancel := context.WithCancel(t.Context())
		near, far := net.Pipe()
		go cancel()
		if err := srv.ServeConn(ctx, far); err == nil {
			t.Error("no reason")
		}
		near.Close()

		near, far = net.Pipe()
		closed := make(chan struct{})
		go func() { srv.Close(); close(closed) }()
		if err := srv.ServeConn(context.Background(), far); err == nil {
			t.Error("no reason")
		}
		<-closed
		near.Close()
	}
}

// The context of the ServeConn call that served a session's last socket ends the
// session also when the socket is lost and the call has returned. That of an earlier
// socket does not.
func TestContextEndsDetachedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{Window: time.Hour}},
			method("Test.Wait", nil, func(ctx context.Context, _ *rpc.Call) error {
				<-ctx.Done()
				return context.Cause(ctx)
			}))
		defer srv.Close()
		network := &rpctest.Network{}
		ln := network.Listen()
		defer ln.Close()
		cancels := make(chan context.CancelFunc, 4) // of each socket
		var refuse atomic.Bool
		network.Plan = func(int) rpctest.Plan { return rpctest.Plan{Refuse: refuse.Load()} }
		returned := make(chan error)
		go func() {
			for {
				sock, err := ln.Accept()
				if err != nil {
					return
				}
				ctx, cancel := context.WithCancel(context.Background())
				cancels <- cancel
				go func() { returned <- srv.ServeConn(ctx, sock) }()
			}
		}()
		conn, err := rpc.Dial(t.Context(), "tcp://server", &rpc.DialOptions{NetDial: network.Dial, Resume: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		call := inFlight(conn, &rpc.Call{Method: to("Test.Wait")})
		network.Cut()
		<-returned
		time.Sleep(time.Second) // until it has been resumed
		(<-cancels)()
		synctest.Wait()
		if st := conn.State(); st.Phase != rpc.Connected || st.Session != 1 {
			t.Errorf("when the context of the first socket has ended: %+v", st)
		}

		refuse.Store(true)
		network.Cut()
		<-returned
		(<-cancels)()
		synctest.Wait()
		refuse.Store(false)
		select {
		case err := <-call:
			if !errors.Is(err, rpc.CodeSessionLost) {
				t.Errorf("the call of the session that has ended: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("the session goes on when the context of its last socket has ended")
		}
		conn.Close()
		<-returned
	})
}

// Metadata that a handler sets after it has returned is dropped.
func TestMetadataAfterTheAnswer(t *testing.T) {
	conn := rpctest.Connect(t.Context(), t, method("Test.Late", nil, func(ctx context.Context, _ *rpc.Call) error {
		rpc.SetMetadata(ctx, "in", "time")
		go func() {
			for i := range 100 {
				rpc.SetMetadata(ctx, fmt.Sprint(i), "late")
			}
		}()
		return nil
	}))
	for range 100 {
		md := map[string]string{}
		if err := conn.Call(rpc.ResponseMetadata(t.Context(), md), &rpc.Call{Method: to("Test.Late")}); err != nil || md["in"] != "time" {
			t.Fatal(md, err)
		}
	}
}

// A handler that runs while the server shuts down may still call its peer: it
// could not finish otherwise.
func TestHandlerCallsPeerDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, goOn := make(chan struct{}), make(chan struct{})
		srv := server(nil, method("Test.Ask", nil, func(ctx context.Context, _ *rpc.Call) error {
			close(begun)
			<-goOn
			return rpc.Peer(ctx).Call(ctx, &rpc.Call{Method: to("Test.Nop")})
		}))
		conn := rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Services: []rpc.Service{method("Test.Nop", nil, nop)}})
		got := make(chan error)
		go func() { got <- conn.Call(t.Context(), &rpc.Call{Method: to("Test.Ask")}) }()
		<-begun
		go srv.Shutdown(t.Context())
		synctest.Wait()
		close(goOn)
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

// A dial does not outlive its context, whatever the server does not do.
func TestDialKeepsToItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := rpc.NewConn(ctx, near, nil)
		if err == nil || time.Since(start) != 10*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
