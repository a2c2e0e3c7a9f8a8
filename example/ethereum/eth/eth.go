// Package eth is a part of the API that every Ethereum node serves, as an interface. The
// directives say how such a node differs from a wirecall server: how its methods are
// named, that it takes parameters by position, and what its streams are called.
package eth

import (
	"context"
	"iter"
	"strconv"
	"strings"
)

//go:generate go tool wirecall gen

// Node is an Ethereum node.
//
//wirecall:service name=Node names=eth_methodName
//wirecall:params position
//wirecall:subscription ethereum
type Node interface {
	// ChainID returns the number of the chain: 1 is the main one.
	ChainID(ctx context.Context) (Quantity, error)

	// BlockNumber returns the number of the latest block.
	BlockNumber(ctx context.Context) (Quantity, error)

	// GetBlockByNumber returns a block with the hashes of its transactions, or, if full is
	// true, with the transactions. It returns nil for a block that does not exist.
	GetBlockByNumber(ctx context.Context, number Quantity, full bool) (*Block, error)

	// GetLogs returns the logs that the filter selects.
	GetLogs(ctx context.Context, filter Filter) ([]Log, error)

	// Call runs a contract in the state of a block, which is the latest if it is nil, and
	// returns what that returns, in hexadecimal.
	//
	//wirecall:error Reverted 3
	Call(ctx context.Context, call Call, block *Quantity) (string, error)

	// NewHeads streams the headers of blocks as they become the head of the chain.
	NewHeads(ctx context.Context) (iter.Seq2[Block, error], error)

	// Logs streams the logs of new blocks that the filter selects.
	Logs(ctx context.Context, filter Filter) (iter.Seq2[Log, error], error)
}

// A Block is the part of a block that this program shows.
type Block struct {
	Number     Quantity `json:"number"`
	Hash       string   `json:"hash"`
	ParentHash string   `json:"parentHash"`
	Time       Quantity `json:"timestamp"`
}

// A Filter selects logs. What is left out selects all.
type Filter struct {
	Address   []string  `json:"address,omitempty"`
	FromBlock *Quantity `json:"fromBlock,omitempty"`
	ToBlock   *Quantity `json:"toBlock,omitempty"`
}

// A Log is what a contract has logged.
type Log struct {
	Address string   `json:"address"`
	Topics  []string `json:"topics"`
	Data    string   `json:"data"`
	Block   Quantity `json:"blockNumber"`
}

// A Call is a message to a contract. Input is in hexadecimal.
type Call struct {
	To    string `json:"to,omitempty"`
	Input string `json:"input"`
}

// Reverted is the error of a contract that has reverted: what it returned, in
// hexadecimal.
type Reverted string

func (r Reverted) Error() string { return "execution reverted: " + string(r) }

// A Quantity is a number as Ethereum has it in JSON: "0x1b4".
type Quantity uint64

// MarshalText implements encoding.TextMarshaler.
func (q Quantity) MarshalText() ([]byte, error) {
	return strconv.AppendUint([]byte("0x"), uint64(q), 16), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (q *Quantity) UnmarshalText(text []byte) error {
	digits, _ := strings.CutPrefix(string(text), "0x")
	n, err := strconv.ParseUint(digits, 16, 64)
	*q = Quantity(n)
	return err
}
