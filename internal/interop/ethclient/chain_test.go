package ethclient

import (
	"context"
	"iter"
	"math/big"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/wirecall/wirecall/rpc"
)

// A block is a header and the logs of its transactions.
type block struct {
	header *types.Header
	logs   []types.Log
}

// A chain implements Eth. Tests add blocks to it.
type chain struct {
	left chan string // receives the kind of each subscription that has ended

	mu     sync.Mutex
	blocks []block
	grown  chan struct{} // closed when there is a further block, or broken is set
	broken error         // ends the subscriptions
}

func newChain() *chain {
	return &chain{left: make(chan string, 10), grown: make(chan struct{})}
}

// add adds a block with a log of each of the addresses.
func (c *chain) add(addresses ...common.Address) {
	c.mu.Lock()
	defer c.mu.Unlock()
	number := uint64(len(c.blocks))
	h := &types.Header{Number: new(big.Int).SetUint64(number), Difficulty: new(big.Int), Extra: []byte("a block")}
	if number > 0 {
		h.ParentHash = c.blocks[number-1].header.Hash()
	}
	b := block{header: h}
	for i, a := range addresses {
		b.logs = append(b.logs, types.Log{Address: a, BlockNumber: number, BlockHash: h.Hash(), Index: uint(i), Topics: []common.Hash{}, Data: []byte{1, 2, 3}})
	}
	c.blocks = append(c.blocks, b)
	c.wake()
}

func (c *chain) breakFeeds(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
	c.wake()
}

func (c *chain) wake() {
	close(c.grown)
	c.grown = make(chan struct{})
}

// from returns the blocks from the nth, and what is closed when there are more.
func (c *chain) from(n int) ([]block, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocks[n:], c.grown, c.broken
}

func (c *chain) ChainID(context.Context) (hexutil.Uint64, error) { return 1337, nil }

func (c *chain) BlockNumber(context.Context) (hexutil.Uint64, error) {
	blocks, _, _ := c.from(0)
	return hexutil.Uint64(len(blocks) - 1), nil
}

func (c *chain) GetBlockByNumber(_ context.Context, number string, full bool) (*types.Header, error) {
	blocks, _, _ := c.from(0)
	if number == "latest" {
		return blocks[len(blocks)-1].header, nil
	}
	n, err := hexutil.DecodeUint64(number)
	if err != nil || full {
		return nil, rpc.Errorf(rpc.CodeInvalidParams, "block %q, full %v", number, full)
	}
	if n >= uint64(len(blocks)) {
		return nil, nil
	}
	return blocks[n].header, nil
}

func (f Filter) match(l types.Log) bool {
	return len(f.Address) == 0 || slices.Contains(f.Address, l.Address)
}

func (c *chain) GetLogs(_ context.Context, filter Filter) ([]types.Log, error) {
	logs := []types.Log{}
	blocks, _, _ := c.from(0)
	for _, b := range blocks {
		for _, l := range b.logs {
			if filter.match(l) {
				logs = append(logs, l)
			}
		}
	}
	return logs, nil
}

// Call returns what it is given, and reverts with that if it goes to nobody.
func (c *chain) Call(_ context.Context, call Call, _ string) (hexutil.Bytes, error) {
	if call.To == nil {
		return nil, Reverted(call.Input)
	}
	return call.Input, nil
}

func (c *chain) NewHeads(ctx context.Context) (iter.Seq2[*types.Header, error], error) {
	return follow(ctx, c, "newHeads", func(b block) []*types.Header { return []*types.Header{b.header} }), nil
}

func (c *chain) Logs(ctx context.Context, filter Filter) (iter.Seq2[types.Log, error], error) {
	return follow(ctx, c, "logs", func(b block) (logs []types.Log) {
		for _, l := range b.logs {
			if filter.match(l) {
				logs = append(logs, l)
			}
		}
		return logs
	}), nil
}

// follow returns the items of each block from the next on.
func follow[T any](ctx context.Context, c *chain, kind string, items func(block) []T) iter.Seq2[T, error] {
	seen, _, _ := c.from(0)
	n := len(seen)
	return func(yield func(T, error) bool) {
		defer func() { c.left <- kind }()
		for {
			blocks, grown, broken := c.from(n)
			n += len(blocks)
			for _, b := range blocks {
				for _, item := range items(b) {
					if !yield(item, nil) {
						return
					}
				}
			}
			if broken != nil {
				var none T
				yield(none, broken)
				return
			}
			select {
			case <-grown:
			case <-ctx.Done():
				return
			}
		}
	}
}
