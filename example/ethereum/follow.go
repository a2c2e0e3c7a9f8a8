package main

import (
	"context"
	"fmt"

	"github.com/wirecall/wirecall/example/ethereum/eth"
	"github.com/wirecall/wirecall/rpc"
)

// A follower shows each block of a chain once, in order, whatever happens to the
// connection. It does not look at reorganizations: a block that replaces another of its
// number is not shown.
type follower struct {
	conn *rpc.Conn
	node eth.Node
	next eth.Quantity // the first block that has not been shown
	show func(eth.Block)
}

// run follows the chain until ctx ends, or the node fails for another reason than that it
// was out of reach, or ahead of us. A subscription begins with the next block and loses
// those that come while there is no connection, so that each begins with what was missed.
func (f *follower) run(ctx context.Context) error {
	for {
		err := f.subscribe(ctx)
		switch code := rpc.CodeOf(err); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case f.conn.Err() != nil:
			return f.conn.Err()
		case code != rpc.CodeUnavailable && code != rpc.CodeSlowConsumer:
			return err
		}
	}
}

// subscribe shows what was missed, and then what comes, until the subscription ends.
func (f *follower) subscribe(ctx context.Context) error {
	heads, err := f.node.NewHeads(ctx)
	if err != nil {
		return err
	}
	latest, err := f.node.BlockNumber(ctx)
	if err != nil {
		return err
	}
	if err := f.catchUp(ctx, latest); err != nil {
		return err
	}
	for head, err := range heads {
		if err != nil {
			return err
		}
		if err := f.catchUp(ctx, head.Number); err != nil {
			return err
		}
	}
	return rpc.CodeUnavailable // the node has ended it
}

// catchUp shows the blocks up to one.
func (f *follower) catchUp(ctx context.Context, to eth.Quantity) error {
	for ; f.next <= to; f.next++ {
		block, err := f.node.GetBlockByNumber(ctx, f.next, false)
		switch {
		case err != nil:
			return err
		case block == nil:
			return fmt.Errorf("the node has no block %d", f.next)
		}
		f.show(*block)
	}
	return nil
}
