// Quickstart is wirecall in one program: a server and a client with a WebSocket
// between them, and one of each kind of method called over it.
//
//	go run ./example/quickstart
//
// The interfaces are in package deploy, the implementation of the server's in
// cluster.go; the client, which prints what happens, is in operator.go.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/wirecall/wirecall/example/quickstart/deploy"
	"github.com/wirecall/wirecall/rpc"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run serves a cluster on a free port, operates it over a connection, and closes.
func run(ctx context.Context, out io.Writer) error {
	c := newCluster()
	srv := rpc.NewServer(nil)
	srv.Register(deploy.ClusterService(c))

	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: srv}
	go web.Serve(ln)
	defer web.Close()
	defer srv.Close()

	o := &operator{out: out, events: c.events}
	conn, err := rpc.Dial(ctx, "ws://"+ln.Addr().String(), &rpc.DialOptions{
		Services: []rpc.Service{deploy.OperatorService(o)},
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	o.cluster = deploy.NewClusterClient(conn)
	return o.operate(ctx)
}
