// Example is a chat whose methods are tools for agents as well.
//
//	go run ./example                                                  # in mcprpc
//	go run ./example/chat/cmd/chat join -name ann                     # in the checkout
//
// An agent finds the tools at http://localhost:8080/mcp.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/mcprpc"
	"github.com/wirecall/wirecall/rpc"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "where to serve")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// run serves at an address until ctx ends.
func run(ctx context.Context, addr string) error {
	h, err := newHandler(&rpc.ServerOptions{})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { web.Close() })()
	if err := web.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newHandler returns a handler of a chat, for programs and for agents.
func newHandler(opts *rpc.ServerOptions) (http.Handler, error) {
	opts.Describe = true
	srv := rpc.NewServer(opts)
	srv.Register(chat.RoomService(chat.InMemory()))
	agents, err := mcprpc.Handler(srv, nil)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/rpc", srv)
	mux.Handle("/mcp", agents)
	return mux, nil
}
