// Package ethclient serves as much of an Ethereum node as go-ethereum's ethclient
// needs to read blocks and to follow a chain.
package ethclient

import (
	"context"
	"iter"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

//go:generate go tool wirecall gen .

// Eth is a part of Ethereum's execution API. Its types are go-ethereum's, whose JSON
// is strict: it is theirs that decides whether the two sides agree.
//
//wirecall:service names=eth_methodName
//wirecall:subscription ethereum
type Eth interface {
	ChainID(ctx context.Context) (hexutil.Uint64, error)

	BlockNumber(ctx context.Context) (hexutil.Uint64, error)

	// GetBlockByNumber returns nil for a block that does not exist.
	GetBlockByNumber(ctx context.Context, number string, full bool) (*types.Header, error)

	GetLogs(ctx context.Context, filter Filter) ([]types.Log, error)

	// Call runs a contract, which may revert.
	//
	//wirecall:error Reverted 3
	Call(ctx context.Context, call Call, block string) (hexutil.Bytes, error)

	// NewHeads streams the headers of new blocks.
	NewHeads(ctx context.Context) (iter.Seq2[*types.Header, error], error)

	// Logs streams the logs of new blocks that the filter selects.
	Logs(ctx context.Context, filter Filter) (iter.Seq2[types.Log, error], error)
}

// A Filter selects logs. Without addresses it selects those of all.
type Filter struct {
	Address []common.Address `json:"address"`
}

// A Call is a message to a contract.
type Call struct {
	To    *common.Address `json:"to"`
	Input hexutil.Bytes   `json:"input"`
}

// Reverted is the error of a contract that has reverted: its data is what the contract
// returned.
type Reverted hexutil.Bytes

func (r Reverted) Error() string { return "execution reverted" }

func (r Reverted) MarshalText() ([]byte, error) { return hexutil.Bytes(r).MarshalText() }

func (r *Reverted) UnmarshalText(text []byte) error { return (*hexutil.Bytes)(r).UnmarshalText(text) }
