// Sync serves shared lists and a page for them, and edits a list from a terminal, online
// or not.
//
//	go run ./cmd/sync serve -db lists.db
//	go run ./cmd/sync edit -replica home.db add milk
//	go run ./cmd/sync edit -replica home.db done 1
//	go run ./cmd/sync edit -replica home.db follow
//
// The page is at http://localhost:8080. What is edited without a connection is sent by the
// next command that has one.
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
	"time"

	"github.com/wirecall/wirecall/example/internal/site"
	"github.com/wirecall/wirecall/example/sync/lists"
	"github.com/wirecall/wirecall/example/sync/web"
	"github.com/wirecall/wirecall/rpc"
)

const usage = `usage: sync serve [-addr localhost:8080] [-db FILE] [-restored]
       sync edit -replica FILE [-list home] [-url ws://localhost:8080/rpc] [-wait 3s] COMMAND
commands:
       show           prints the list (so do the others)
       add TEXT       puts an item on the list
       text N TEXT    changes the text of item N
       done N         marks item N as done
       undone N       takes the mark away
       delete N       takes item N off the list
       follow         prints the list whenever it changes, until Control-C
`

var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "sync:", err)
		os.Exit(1)
	}
}

// run does what the arguments say.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	addr := flags.String("addr", "localhost:8080", "")
	db := flags.String("db", "", "")
	restored := flags.Bool("restored", false, "")
	e := editor{out: out}
	flags.StringVar(&e.file, "replica", "", "")
	flags.StringVar(&e.list, "list", "home", "")
	flags.StringVar(&e.url, "url", "ws://localhost:8080/rpc", "")
	flags.DurationVar(&e.wait, "wait", 3*time.Second, "")
	if len(args) == 0 || flags.Parse(args[1:]) != nil {
		return errUsage
	}
	switch {
	case args[0] == "serve" && flags.NArg() == 0:
		return serve(ctx, *addr, *db, *restored, out)
	case args[0] == "edit" && e.file != "" && flags.NArg() > 0:
		return e.run(ctx, flags.Args())
	}
	return errUsage
}

// serve serves the lists and their page at an address until ctx ends, and then gives calls
// that are under way a second. A database that was restored from a copy lacks changes that
// replicas may have, and must be said to be.
func serve(ctx context.Context, addr, db string, restored bool, out io.Writer) error {
	server, err := lists.OpenServer(ctx, db, restored)
	if err != nil {
		return err
	}
	defer server.Close()
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Describe: true})
	srv.Register(lists.ListsService(server))
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return site.Serve(ctx, ln, srv, web.Files, out)
}
