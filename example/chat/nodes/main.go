// Nodes serves the chat on any number of nodes: the room is the same on all that use the
// same NATS, and who is in it can be rung at. Its messages are kept in a folder.
//
//	go run . -folder messages
//
// The server of NATS is in the process, unless -nats says where another one is; -share lets
// other processes use it:
//
//	go run . -folder messages -share localhost:4222 -secret FILE
//	go run . -addr localhost:8083 -nats localhost:4222 -secret FILE
//
// The file holds what all nodes know and nobody else, at least 32 random bytes. The page is
// at http://localhost:8080, and example/chat/cmd/chat joins from a terminal.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/example/chat/nodes/bells"
	"github.com/wirecall/wirecall/example/chat/web"
	"github.com/wirecall/wirecall/example/internal/site"
	"github.com/wirecall/wirecall/internal/embedded"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/topic"
)

const usage = `usage: nodes [-addr localhost:8080] [-folder FOLDER] [-share ADDR -secret FILE]
       nodes [-addr localhost:8080] -nats URL -secret FILE
`

var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(1)
	}
}

// run does what the arguments say, until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("nodes", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var opts embedded.Options
	flags.StringVar(&opts.URL, "nats", "", "")
	flags.StringVar(&opts.Share, "share", "", "")
	flags.StringVar(&opts.Folder, "folder", "", "")
	addr := flags.String("addr", "localhost:8080", "")
	file := flags.String("secret", "", "")
	if flags.Parse(args) != nil || flags.NArg() > 0 || opts.URL != "" && (opts.Share != "" || opts.Folder != "") {
		return errUsage
	}
	if shared := opts.URL != "" || opts.Share != ""; shared != (*file != "") {
		return errUsage
	}
	secret, err := secretOf(*file)
	if err != nil {
		return err
	}
	nc, stop, err := embedded.Connect(opts)
	if err != nil {
		return err
	}
	defer stop()
	return serve(ctx, *addr, nc, secret, out)
}

// secretOf returns the secret in a file. A node that is alone makes one up.
func secretOf(file string) ([]byte, error) {
	if file == "" {
		return []byte(rand.Text() + rand.Text()), nil
	}
	return os.ReadFile(file)
}

// serve runs a node of the chat and its page at an address until ctx ends, or the node
// does: if another process has its name, say.
func serve(ctx context.Context, addr string, nc *nats.Conn, secret []byte, out io.Writer) error {
	bus, err := cluster.NewBus(ctx, nc, &cluster.BusOptions{Classes: map[string]topic.Retention{chat.Class: {Events: 1_000_000}}})
	if err != nil {
		return err
	}
	node, err := cluster.Join(ctx, nc, &cluster.NodeOptions{Secret: secret})
	if err != nil {
		return err
	}
	defer node.Close()
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{Nodes: node.Sessions()}, Describe: true})
	srv.Register(chat.RoomService(chat.NewRoom(bus, node.Presence())), bells.BellsService(bells.Server{Node: node}))
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		<-node.Done()
		stop()
	}()
	return cmp.Or(site.Serve(ctx, ln, srv, web.Files, out), node.Err())
}
