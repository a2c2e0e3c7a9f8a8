package rpc_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

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
