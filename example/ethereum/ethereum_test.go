package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/ethereum/eth"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A chain is a node in memory. The same interface serves it.
type chain struct {
	eth.Node // what is not needed here

	mu     sync.Mutex
	blocks []eth.Block
	grown  chan struct{} // closed when there is a further block
}

func newChain() *chain { return &chain{grown: make(chan struct{})} }

// add adds n blocks.
func (c *chain) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		number := len(c.blocks)
		c.blocks = append(c.blocks, eth.Block{Number: eth.Quantity(number), Hash: fmt.Sprintf("0x%064x", number), Time: eth.Quantity(12 * number)})
	}
	close(c.grown)
	c.grown = make(chan struct{})
}

// from returns the blocks from a number on, and what is closed when there are more.
func (c *chain) from(n int) ([]eth.Block, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.blocks[min(n, len(c.blocks)):]), c.grown
}

func (c *chain) ChainID(context.Context) (eth.Quantity, error) { return 1337, nil }

func (c *chain) BlockNumber(context.Context) (eth.Quantity, error) {
	blocks, _ := c.from(0)
	return eth.Quantity(len(blocks) - 1), nil
}

func (c *chain) GetBlockByNumber(_ context.Context, number eth.Quantity, _ bool) (*eth.Block, error) {
	blocks, _ := c.from(int(number))
	if len(blocks) == 0 {
		return nil, nil
	}
	return &blocks[0], nil
}

func (c *chain) NewHeads(ctx context.Context) (iter.Seq2[eth.Block, error], error) {
	seen, _ := c.from(0)
	next := len(seen)
	return func(yield func(eth.Block, error) bool) {
		for {
			blocks, grown := c.from(next)
			next += len(blocks)
			for _, b := range blocks {
				if !yield(b, nil) {
					return
				}
			}
			select {
			case <-grown:
			case <-ctx.Done():
				return
			}
		}
	}, nil
}

// serve serves a chain over a network. Dialed with options, it is plain JSON-RPC, as it
// is to a node that does not know wirecall.
func serve(t *testing.T, c *chain) (*rpctest.Network, *rpc.DialOptions) {
	network := &rpctest.Network{}
	srv := rpc.NewServer(nil)
	srv.Register(eth.NodeService(c))
	ln := network.Listen()
	go srv.Serve(t.Context(), ln)
	t.Cleanup(func() { srv.Close() })
	return network, &rpc.DialOptions{NetDial: network.Dial, Plain: true}
}

// A lines collects what is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// taken returns what has been written since the last call.
func (l *lines) taken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// Each block is shown once and in order, also those that come while there is no
// connection.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain()
		c.add(3)
		network, opts := serve(t, c)
		ctx, cancel := context.WithCancelCause(t.Context())
		out, ended := &lines{}, make(chan error)
		go func() { ended <- run(ctx, "tcp://node", 1, out, opts) }()
		want := func(what string) {
			t.Helper()
			synctest.Wait()
			if got := out.taken(); got != what {
				t.Errorf("got\n%s\nwant\n%s", got, what)
			}
		}
		want("chain 1337\n1 0x00000000 1970-01-01 00:00:12\n2 0x00000000 1970-01-01 00:00:24\n")
		c.add(1)
		want("3 0x00000000 1970-01-01 00:00:36\n")
		network.Cut()
		c.add(2)
		time.Sleep(time.Minute) // the connection is made again meanwhile
		want("4 0x00000000 1970-01-01 00:00:48\n5 0x00000000 1970-01-01 00:01:00\n")
		c.add(1)
		want("6 0x00000000 1970-01-01 00:01:12\n")
		stop := errors.New("enough")
		cancel(stop)
		if err := <-ended; err != stop {
			t.Error(err)
		}
	})
}

// The latest block is the first if none is given.
func TestFollowFromLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain()
		c.add(1000)
		_, opts := serve(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		out, ended := &lines{}, make(chan error)
		go func() { ended <- run(ctx, "tcp://node", -1, out, opts) }()
		synctest.Wait()
		if got, want := out.taken(), "chain 1337\n999 0x00000000 1970-01-01 03:19:48\n"; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		cancel()
		<-ended
	})
}

// A node without a block that it has announced ends the program with an error.
func TestNoBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain()
		c.add(1)
		_, opts := serve(t, c)
		conn, err := rpc.Dial(t.Context(), "tcp://node", opts)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		f := &follower{conn: conn, node: eth.NewNodeClient(conn), show: func(eth.Block) {}}
		if err := f.catchUp(t.Context(), 1); err == nil || err.Error() != "the node has no block 1" {
			t.Error(err)
		}
	})
}
