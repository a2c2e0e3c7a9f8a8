// Package rpctest connects clients to services in tests, over connections that may
// have faults.
//
// Connect and Pair make a connection in memory without faults. It needs no socket and
// no real time, so that a test can run in a bubble of testing/synctest, where timeouts
// take no time:
//
//	synctest.Test(t, func(t *testing.T) {
//		room := chat.NewRoomClient(rpctest.Connect(t.Context(), t, chat.RoomService(impl)))
//		…
//	})
//
// # Faults
//
// A Network makes connections that are cut, half closed, stalled or slow. In memory it
// consists of a net.Listener for the server and a dial function for the client, which
// work in a bubble as well:
//
//	network := &rpctest.Network{Plan: rpctest.Faults{Seed: 1, Cut: 0.5}.Plan}
//	go srv.Serve(ctx, network.Listen())
//	sock, err := network.Dial(ctx, "tcp", "any")
//	conn, err := rpc.NewConn(ctx, sock, nil)
//
// Such a connection ends with its socket. For a connection that reconnects, and for
// WebSockets, give the dial function to rpc.DialOptions.NetDial and the listener to an
// http.Server. Network.Dialer and Network.Listener put the same faults around real
// sockets.
//
// The faults of a connection are its Plan: events such as a Cut, each when an exact
// number of bytes has arrived in one direction, and a speed. A test that needs exact
// faults writes its plans, such as one that cuts after each byte of a conversation in
// turn:
//
//	Plan: func(n int) rpctest.Plan {
//		if n > 0 {
//			return rpctest.Plan{} // the second attempt succeeds
//		}
//		return rpctest.Plan{Down: rpctest.Path{Events: []rpctest.Event{{At: at, Do: rpctest.Cut}}}}
//	}
//
// Other tests use Faults, which draws plans at random: a seed and the number of the
// connection decide its plan, so that a test which prints its seed can be repeated.
// Network.Cut cuts all open connections at a moment that the test chooses, and
// Network.Stats returns counts of what has happened, with which a test can check that
// there were faults.
//
// Bytes arrive once, unchanged and in order, or not at all. As with sockets, a write
// succeeds when there is room in a buffer, and its writer does not learn whether the
// bytes have arrived.
package rpctest

import (
	"context"
	"net"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// Connect returns a connection to a new server with the given services. See Pair.
func Connect(ctx context.Context, tb testing.TB, services ...rpc.Service) *rpc.Conn {
	tb.Helper()
	srv := new(rpc.Server)
	srv.Register(services...)
	return Pair(ctx, tb, srv, nil)
}

// Pair connects a client with the given options to srv, which may have other
// connections. Nil options are the defaults. The contexts of handlers on both sides
// have the values of ctx. The connection ends with ctx, and at the end of the test,
// which waits until its goroutines have returned.
func Pair(ctx context.Context, tb testing.TB, srv *rpc.Server, opts *rpc.ConnOptions) *rpc.Conn {
	tb.Helper()
	near, far := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		srv.ServeConn(ctx, far)
	}()
	conn, err := rpc.NewConn(ctx, near, opts)
	if err != nil {
		tb.Fatalf("rpctest: %v", err)
	}
	tb.Cleanup(func() {
		conn.Close()
		<-served
	})
	return conn
}
