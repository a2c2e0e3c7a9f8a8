// Chat serves a chat room and a page for it, and joins one from a terminal.
//
//	go run ./example/chat/cmd/chat serve
//	go run ./example/chat/cmd/chat join -name ann
//
// The room is in memory; example/chat/nodes keeps one, on any number of nodes. The page is
// at http://localhost:8080. In a terminal lines that are typed are posted; an
// end of input (Control-D) leaves.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/example/chat/web"
	"github.com/wirecall/wirecall/example/internal/site"
	"github.com/wirecall/wirecall/rpc"
)

const usage = `usage: chat serve [-addr localhost:8080]
       chat join -name NAME [-url ws://localhost:8080/rpc] [-after ID]
`

var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run does what the arguments say, until ctx or the input ends.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	addr := flags.String("addr", "localhost:8080", "")
	url := flags.String("url", "ws://localhost:8080/rpc", "")
	name := flags.String("name", "", "")
	after := flags.Int64("after", 0, "")
	if len(args) == 0 || flags.Parse(args[1:]) != nil || flags.NArg() > 0 {
		return errUsage
	}
	switch {
	case args[0] == "serve":
		return serve(ctx, *addr, out)
	case args[0] == "join" && *name != "":
		return join(ctx, *url, *name, *after, newTerminal(in, out))
	}
	return errUsage
}

// serve runs a room and its page at an address until ctx ends, and then gives calls that are
// under way a second. Streams without an end are cut with that.
func serve(ctx context.Context, addr string, out io.Writer) error {
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Describe: true})
	srv.Register(chat.RoomService(chat.InMemory()))
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return site.Serve(ctx, ln, srv, web.Files, out)
}
