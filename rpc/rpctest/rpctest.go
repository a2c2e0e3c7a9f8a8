// Package rpctest connects clients to services in memory, for tests.
//
// Nothing here uses a socket or waits for time to pass, so that a test can run
// in a bubble of testing/synctest, where timeouts cost nothing:
//
//	synctest.Test(t, func(t *testing.T) {
//		room := chat.NewRoomClient(rpctest.Connect(t, chat.RoomService(impl)))
//		…
//	})
package rpctest

import (
	"context"
	"net"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// Connect returns a connection to a server with the given services. It ends
// with the test.
func Connect(tb testing.TB, services ...rpc.Service) *rpc.Conn {
	tb.Helper()
	srv := rpc.NewServer(nil)
	srv.Register(services...)
	return Pair(tb, srv, nil)
}

// Pair connects a client with the given options, nil being the defaults, to
// srv. The connection ends with the test; srv may serve others besides.
func Pair(tb testing.TB, srv *rpc.Server, opts *rpc.DialOptions) *rpc.Conn {
	tb.Helper()
	near, far := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		srv.ServeConn(context.Background(), far)
	}()
	conn, err := rpc.NewConn(context.Background(), near, opts)
	if err != nil {
		tb.Fatalf("rpctest: %v", err)
	}
	tb.Cleanup(func() {
		conn.Close()
		<-served
	})
	return conn
}
