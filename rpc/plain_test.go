package rpc_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
)

// A connection that is plain by its options offers no subprotocol and sends no hello,
// though the server speaks wirecall.
func TestPlainByOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offered []string
		srv := rpc.NewServer(&rpc.ServerOptions{Observers: []*rpc.Observer{{Conn: func(_ context.Context, _ *rpc.Conn, handshake *http.Request) func(error) {
			offered = handshake.Header.Values("Sec-WebSocket-Protocol")
			return nil
		}}}})
		srv.Register(services()...)
		conn, err := rpc.Dial(t.Context(), "ws://test", &rpc.DialOptions{HTTPClient: serveInMemory(t, srv), Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if sum, err := NewSubjectClient(conn).Add(t.Context(), 3, 4); sum != 7 || err != nil || !conn.Plain() || offered != nil {
			t.Errorf("%d, %v; plain: %v; it has offered %q", sum, err, conn.Plain(), offered)
		}
	})
}

// A plain client may guess the id of a subscription that is being made.
func TestUnsubscribeBeforeSubscribed(t *testing.T) {
	srv := rpc.NewServer(nil)
	srv.Register(services()...)
	conn, ended := servePipe(t.Context(), srv)
	go io.Copy(io.Discard, conn)
	for i := range 2000 {
		fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%d,"method":"Test.Tick","params":[1]}`+"\n", 2*i)
		fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%d,"method":"rpc.unsubscribe","params":["0x%x"]}`+"\n", 2*i+1, i+1)
	}
	conn.Close()
	<-ended
}
