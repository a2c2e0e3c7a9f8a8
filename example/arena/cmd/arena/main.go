// Arena serves the game, with a page at http://localhost:8082, and has bots to play with.
//
//	go run ./cmd/arena serve
//	go run ./cmd/arena bots -n 20 -room lobby
//
// Processes that use the same NATS are one arena. The server of NATS is in the process,
// unless -nats says where another one is; -share lets other processes use it:
//
//	go run ./cmd/arena serve -share localhost:4222
//	go run ./cmd/arena serve -addr localhost:8083 -nats localhost:4222
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/example/arena"
	"github.com/wirecall/wirecall/example/arena/web"
	"github.com/wirecall/wirecall/example/arena/world"
	"github.com/wirecall/wirecall/example/internal/site"
	"github.com/wirecall/wirecall/internal/embedded"
	"github.com/wirecall/wirecall/rpc"
)

const usage = `usage: arena serve [-addr localhost:8082] [-nats URL | -share ADDR] [-node NAME]
       arena bots [-n 10] [-room lobby] [-url ws://localhost:8082/rpc]
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
	case err != nil && !errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "arena:", err)
		os.Exit(1)
	}
}

// run does what the arguments say, until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("arena", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	addr := flags.String("addr", "localhost:8082", "")
	url := flags.String("url", "ws://localhost:8082/rpc", "")
	room := flags.String("room", "lobby", "")
	n := flags.Int("n", 10, "")
	var nats embedded.Options
	flags.StringVar(&nats.URL, "nats", "", "")
	flags.StringVar(&nats.Share, "share", "", "")
	node := flags.String("node", rand.Text(), "")
	if len(args) == 0 || flags.Parse(args[1:]) != nil || flags.NArg() > 0 {
		return errUsage
	}
	switch {
	case args[0] == "serve" && (nats.URL == "" || nats.Share == ""):
		return serve(ctx, *addr, *node, nats, out)
	case args[0] == "bots" && *n > 0:
		return bots(ctx, *url, *room, *n, out)
	}
	return errUsage
}

// limits are what one client needs at most.
var limits = rpc.Limits{Calls: 8, Streams: 8, MessageBytes: 64 << 10}

// serve runs a node of the game and its page at an address until ctx ends.
func serve(ctx context.Context, addr, node string, nats embedded.Options, out io.Writer) error {
	nc, stop, err := embedded.Connect(nats)
	if err != nil {
		return err
	}
	defer stop()
	bus, err := cluster.NewBus(ctx, nc, &cluster.BusOptions{Classes: arena.Classes, Prefix: "ARENA", Memory: true})
	if err != nil {
		return err
	}
	host := arena.NewHost(bus, node)
	defer host.Close()
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Limits: limits, Describe: true})
	srv.Register(arena.ArenaService(host))
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return site.Serve(ctx, ln, srv, web.Files, out)
}

// bots has bots play in a room, each over a connection of its own, and prints once a second
// how many states they get.
func bots(ctx context.Context, url, room string, n int, out io.Writer) error {
	var states atomic.Int64
	var all sync.WaitGroup
	defer all.Wait()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for i := range n {
		all.Go(func() {
			stop(bot(ctx, url, room, fmt.Sprint("Bot ", i+1), func(world.State) { states.Add(1) }))
		})
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			fmt.Fprintf(out, "%d bots, %d states a second\n", n, states.Swap(0))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// bot plays over a connection of its own.
func bot(ctx context.Context, url, room, name string, seen func(world.State)) error {
	conn, err := rpc.Dial(ctx, url, &rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{RetryFirst: true}})
	if err != nil {
		return err
	}
	defer conn.Close()
	return arena.PlayBot(ctx, arena.NewArenaClient(conn), room, name, seen)
}
