package rpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A reason reaches the peer, whose connection then stays away, from both sides.
func TestCloseWithReason(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		for _, side := range []string{"server", "client"} {
			b := breakable(t, scheme, nil, nil, services()...)
			var served *rpc.Conn
			for served = range b.srv.Load().Connections() {
			}
			near, far := b.Conn, served
			if side == "server" {
				near, far = served, b.Conn
			}
			long := strings.Repeat("é", 61) + "x"
			if err := near.CloseWithReason(long + "y"); err == nil {
				t.Error("124 bytes are a reason")
			}
			if err := near.CloseWithReason("\xff"); err == nil {
				t.Error("a reason need not be UTF-8")
			}
			if sum, err := NewSubjectClient(b.Conn).Add(t.Context(), 1, 2); sum != 3 {
				t.Errorf("behind a refused reason: %v", err)
			}
			if err := near.CloseWithReason(long); err != nil {
				t.Error(err)
			}
			<-far.Done()
			closed, ok := errors.AsType[*rpc.CloseError](far.Err())
			if !ok || closed.Code != 1000 || closed.Reason != long {
				t.Errorf("the %s's reason came as %v", side, far.Err())
			}
			if err := near.Err(); !errors.Is(err, rpc.ErrClosed) {
				t.Errorf("the %s ended with %v", side, err)
			}
		}
	})
}

// What a connection is can be asked on both sides, in a handler too.
func TestConnTellsOfItself(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		var inHandler, peer *rpc.Conn
		b := breakable(t, scheme, nil, nil, method("Test.Nop", nil, func(ctx context.Context, _ *rpc.Call) error {
			inHandler, _ = rpc.ConnFromContext(ctx)
			peer, _ = rpc.Peer(ctx).(*rpc.Conn)
			return nil
		}))
		if err := b.Call(t.Context(), &rpc.Call{Method: to("Test.Nop")}); err != nil {
			t.Fatal(err)
		}
		if inHandler == nil || inHandler != peer {
			t.Errorf("%p in the handler, the peer is %p", inHandler, peer)
		}
		if addr := inHandler.RemoteAddr(); addr == nil || addr.String() != "client:0" {
			t.Errorf("the client is at %v", addr)
		}
		if addr := b.RemoteAddr(); addr == nil || addr.String() != "server:80" {
			t.Errorf("the server is at %v", addr)
		}
		if b.Plain() || inHandler.Plain() || b.Codec() != codec.JSON {
			t.Errorf("plain: %v and %v, %v", b.Plain(), inHandler.Plain(), b.Codec())
		}
		b.network.Cut()
		b.await(t, rpc.Connected)
		if err := b.Call(t.Context(), &rpc.Call{Method: to("Test.Nop")}); err != nil {
			t.Fatal(err)
		}
		if addr := inHandler.RemoteAddr(); addr == nil || addr.String() != "client:1" {
			t.Errorf("behind the cut the client is at %v", addr)
		}
	})
}

// Outside of handlers, and in a POST, there is no connection.
func TestNoConnInContext(t *testing.T) {
	if conn, ok := rpc.ConnFromContext(t.Context()); ok {
		t.Error(conn)
	}
	callPOST(t, server(nil, method("Test.Nop", nil, func(ctx context.Context, _ *rpc.Call) error {
		if conn, ok := rpc.ConnFromContext(ctx); ok {
			t.Error(conn)
		}
		return nil
	})), "Test.Nop")
}

// Stats count what is in flight on both sides, and nothing when it is over.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(nil, services()...)
		conn := rpctest.Pair(t.Context(), t, srv, nil)
		client := NewSubjectClient(conn)
		go client.Sleep(t.Context(), 1000)
		synctest.Wait() // or it would wait for the notification
		endless, err := client.Endless(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go client.Note(t.Context(), "x", 1000)
		synctest.Wait()
		var served *rpc.Conn
		for served = range srv.Connections() {
		}
		mine, theirs := conn.Stats(), served.Stats()
		if mine.BufferedBytes == 0 {
			t.Error("nothing is buffered")
		}
		mine.BufferedBytes, theirs.BufferedBytes = 0, 0
		if want := (rpc.Stats{CallsMade: 1, StreamsTaken: 1}); mine != want {
			t.Errorf("the client has %+v, want %+v", mine, want)
		}
		if want := (rpc.Stats{CallsServed: 2, StreamsSent: 1}); theirs != want {
			t.Errorf("the server has %+v, want %+v", theirs, want)
		}
		for range endless {
			break
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if mine, theirs := conn.Stats(), served.Stats(); mine != (rpc.Stats{}) || theirs != (rpc.Stats{}) {
			t.Errorf("in the end %+v and %+v", mine, theirs)
		}
	})
}

// A connection that is made again says when it tries next, and begins then.
func TestStateHasNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := 10 * time.Second
		b := breakable(t, "tcp", nil, &rpc.DialOptions{Reconnect: rpc.Reconnect{MinDelay: d, MaxDelay: d}}, services()...)
		if st := b.State(); !st.Retry.IsZero() {
			t.Errorf("connected: %+v", st)
		}
		b.refuse.Store(true)
		b.network.Cut()
		synctest.Wait()
		for n := 1; n <= 3; n++ {
			st := b.State()
			wait := time.Until(st.Retry)
			if wait <= 0 || wait > d {
				t.Fatalf("it waits for %v", wait)
			}
			if b.network.Stats().Refused != n-1 {
				t.Fatalf("%d attempts before the one at that time", b.network.Stats().Refused)
			}
			time.Sleep(wait)
			synctest.Wait()
			if b.network.Stats().Refused != n {
				t.Fatalf("%d attempts at that time", b.network.Stats().Refused)
			}
		}
		b.refuse.Store(false)
		b.await(t, rpc.Connected)
		if st := b.State(); !st.Retry.IsZero() {
			t.Errorf("connected again: %+v", st)
		}
	})
}
