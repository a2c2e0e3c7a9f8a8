package rpc_test

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A breaking is a server behind a network that a test breaks, and a client of it.
type breaking struct {
	*rpc.Conn
	network *rpctest.Network
	refuse  atomic.Bool // no connection gets through
	options *rpc.ServerOptions
	srv     atomic.Pointer[rpc.Server]
}

// breakable connects over the transport of a URL's scheme. Without options the
// server keeps sessions, and the client resumes its own.
func breakable(t *testing.T, scheme string, so *rpc.ServerOptions, do *rpc.DialOptions, services ...rpc.Service) *breaking {
	t.Helper()
	if so == nil {
		so = &rpc.ServerOptions{Sessions: &rpc.SessionOptions{}}
	}
	if do == nil {
		do = &rpc.DialOptions{Resume: true}
	}
	b := &breaking{options: so}
	b.network = &rpctest.Network{Plan: func(int) rpctest.Plan { return rpctest.Plan{Refuse: b.refuse.Load()} }}
	b.srv.Store(server(so, services...))
	ln := b.network.Listen()
	served := make(chan struct{})
	go func() {
		defer close(served)
		b.serve(ln, scheme)
	}()
	do.NetDial = b.network.Dial
	var err error
	if b.Conn, err = rpc.Dial(t.Context(), scheme+"://server", do); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Conn.Close()
		b.srv.Load().Close()
		ln.Close()
		<-served
		b.network.Cut()
	})
	return b
}

func (b *breaking) serve(ln net.Listener, scheme string) {
	if scheme == "ws" {
		http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.srv.Load().ServeHTTP(w, r) }))
		return
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go b.srv.Load().ServeConn(context.Background(), conn)
	}
}

// restart replaces the server, which dies without a word, by one that knows
// nothing of it.
func (b *breaking) restart(services ...rpc.Service) {
	b.network.Cut()
	synctest.Wait()
	b.srv.Swap(server(b.options, services...)).Close()
}

// await waits for a phase of the connection.
func (b *breaking) await(t *testing.T, p rpc.Phase) rpc.State {
	t.Helper()
	for st := range b.States(t.Context()) {
		if st.Phase == p {
			return st
		}
	}
	t.Fatalf("never %v", p)
	return rpc.State{}
}

// overBoth runs a test over lines and over WebSocket, each in a bubble.
func overBoth(t *testing.T, f func(t *testing.T, scheme string)) {
	for _, scheme := range []string{"tcp", "ws"} {
		t.Run(scheme, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, scheme) }) })
	}
}

// A stream goes on over cuts as if nothing had happened.
func TestStreamOverCuts(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, nil, nil, services()...)
		subject := NewSubjectClient(b)
		numbers, err := subject.Count(t.Context(), 5000)
		if err != nil {
			t.Fatal(err)
		}
		next := 1
		for n, err := range numbers {
			if err != nil {
				t.Fatalf("at %d: %v", next, err)
			}
			if n != next {
				t.Fatalf("got %d, want %d", n, next)
			}
			if next++; next%100 == 0 {
				if b.network.Cut() != 1 {
					t.Fatal("there was nothing to cut")
				}
				synctest.Wait()
				if st := b.State(); st.Phase != rpc.Detached {
					t.Fatalf("after a cut: %+v", st)
				}
				b.await(t, rpc.Connected)
			}
		}
		if next != 5001 || b.State().Session != 1 {
			t.Errorf("%d items, %+v", next-1, b.State())
		}
	})
}
