// Package ethclient serves as much of an Ethereum node as go-ethereum's ethclient
// needs to read blocks and to follow a chain.
package ethclient

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

//go:generate go tool wirecall gen .

// Eth is a part of Ethereum's execution API. Its types are go-ethereum's, whose JSON
// is strict: it is theirs that decides whether the two sides agree.
//
//wirecall:service
type Eth interface {
	//wirecall:name eth_chainId
	ChainID(ctx context.Context) (hexutil.Uint64, error)

	//wirecall:name eth_blockNumber
	BlockNumber(ctx context.Context) (hexutil.Uint64, error)

	// GetBlockByNumber returns nil for a block that does not exist.
	//
	//wirecall:name eth_getBlockByNumber
	GetBlockByNumber(ctx context.Context, number string, full bool) (*types.Header, error)

	//wirecall:name eth_getLogs
	GetLogs(ctx context.Context, filter Filter) ([]types.Log, error)

	// Call runs a contract, which may revert.
	//
	//wirecall:name eth_call
	//wirecall:error Reverted 3
	Call(ctx context.Context, call Call, block string) (hexutil.Bytes, error)

	// Subscribe streams what is new: types.Header for "newHeads", types.Log for "logs",
	// which alone has a filter.
	//
	//wirecall:name eth_subscribe
	Subscribe(ctx context.Context, kind string, filter Filter) (iter.Seq2[json.RawMessage, error], error)
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
