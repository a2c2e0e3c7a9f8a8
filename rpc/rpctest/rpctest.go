// Package rpctest connects clients to services for tests, over connections that
// can go wrong.
//
// Connect and Pair make a good connection, in memory. Nothing there uses a socket
// or waits for time to pass, so that a test can run in a bubble of
// testing/synctest, where timeouts cost nothing:
//
//	synctest.Test(t, func(t *testing.T) {
//		room := chat.NewRoomClient(rpctest.Connect(t.Context(), t, chat.RoomService(impl)))
//		…
//	})
//
// # Faults
//
// A Network makes connections that are cut, half closed, stalled or slow. In
// memory it is a net.Listener for the server and a dial function for the client,
// which run in a bubble as well:
//
//	network := &rpctest.Network{Plan: rpctest.Faults{Seed: 1, Cut: 0.5}.Plan}
//	go srv.Serve(ctx, network.Listen())
//	sock, err := network.Dial(ctx, "tcp", "any")
//	conn, err := rpc.NewConn(ctx, sock, nil)
//
// Such a connection ends with its socket. For one that is made again, and for
// WebSockets, give the dial function to rpc.DialOptions.NetDial, and the listener
// to an http.Server. Network.Dialer and Network.Listener put the
// same faults around real sockets.
//
// What befalls a connection is its Plan: events such as a Cut, each when an exact
// number of bytes has arrived in one direction, and a pace. A test writes plans
// itself to be exact, such as one that cuts after every byte of a conversation in
// turn:
//
//	Plan: func(n int) rpctest.Plan {
//		if n > 0 {
//			return rpctest.Plan{} // the second attempt succeeds
//		}
//		return rpctest.Plan{Down: rpctest.Path{Events: []rpctest.Event{{At: at, Do: rpctest.Cut}}}}
//	}
//
// or has Faults draw them: then a seed and the number of the connection decide its
// plan, so that a test which prints its seed can be run again. Network.Cut cuts
// all that is open, at a moment of the test's choice, and Network.Stats tells what
// has happened, so that a test can hold that anything has.
//
// Bytes arrive once, unchanged and in order, or not at all. A write succeeds when
// there is room in a buffer, as with sockets; whether it has arrived its writer
// does not learn.
package rpctest

import (
	"context"
	"net"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// Connect returns a connection to a server with the given services. See Pair.
func Connect(ctx context.Context, tb testing.TB, services ...rpc.Service) *rpc.Conn {
	tb.Helper()
	srv := new(rpc.Server)
	srv.Register(services...)
	return Pair(ctx, tb, srv, nil)
}

// Pair connects a client with the given options, nil being the defaults, to
// srv, which may serve others besides. The contexts of handlers on both sides have the
// values of ctx. The connection ends with ctx, and at the latest with the test, which
// waits until nothing of it runs.
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
