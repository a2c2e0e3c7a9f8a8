// Quickstart is wirecall in one program: a server and a client with a WebSocket
// between them, and one of each kind of method called over it.
//
//	go run ./example/quickstart
//
// The interface is in package kitchen, its implementation in cook.go; the
// client's half, with an account of what happens, is in guest.go.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/wirecall/wirecall/example/quickstart/kitchen"
	"github.com/wirecall/wirecall/rpc"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run serves a kitchen on a free port, has dinner there, and closes.
func run(ctx context.Context, out io.Writer) error {
	cook := newCook()
	srv := rpc.NewServer(nil)
	srv.Register(kitchen.KitchenService(cook))

	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: srv}
	go web.Serve(ln)
	defer web.Close()
	defer srv.Close()

	g := &guest{out: out, heard: cook.heard}
	conn, err := rpc.Dial(ctx, "ws://"+ln.Addr().String(), &rpc.DialOptions{
		Services: []rpc.Service{kitchen.GuestService(g)},
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	g.kitchen = kitchen.NewKitchenClient(conn)
	return g.dine(ctx)
}
