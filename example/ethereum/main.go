// Ethereum follows the chain of an Ethereum node, such as geth, which does not speak
// wirecall: it shows each block once, from a number on, whatever happens to the
// connection.
//
//	go run ./example/ethereum -url ws://localhost:8546
//	go run ./example/ethereum -url unix:///path/to/geth.ipc -from 17000000
//
// The node's API is an interface, in eth/eth.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/wirecall/wirecall/example/ethereum/eth"
	"github.com/wirecall/wirecall/rpc"
)

func main() {
	url := flag.String("url", "ws://localhost:8546", "the node, by ws://, wss://, tcp:// or unix://")
	from := flag.Int64("from", -1, "the first block to show; the latest if negative")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *url, *from, os.Stdout, nil)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "ethereum:", err)
		os.Exit(1)
	}
}

// run connects to the node and follows its chain until ctx ends.
func run(ctx context.Context, url string, from int64, out io.Writer, opts *rpc.DialOptions) error {
	conn, err := rpc.Dial(ctx, url, opts)
	if err != nil {
		return err
	}
	defer conn.Close()
	node := eth.NewNodeClient(conn)
	chain, err := node.ChainID(ctx)
	if err != nil {
		return err
	}
	next := eth.Quantity(max(from, 0))
	if from < 0 {
		if next, err = node.BlockNumber(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "chain %d\n", chain)
	f := &follower{conn: conn, node: node, next: next, show: func(b eth.Block) {
		fmt.Fprintf(out, "%d %.10s %s\n", b.Number, b.Hash, time.Unix(int64(b.Time), 0).UTC().Format(time.DateTime))
	}}
	return f.run(ctx)
}
