// Package toolbox is a contract that has all that a tool of an agent can have, for the
// tests of the module mcprpc.
package toolbox

import (
	"context"
	"iter"
)

//go:generate go tool wirecall gen

// Toolbox is a service whose methods are tools.
//
//wirecall:service
//wirecall:option mcp.tool=yes
//wirecall:error Refused 1001
type Toolbox interface {
	// Add returns a sum.
	//
	//wirecall:idempotent
	//wirecall:option mcp.tool=readonly
	Add(ctx context.Context, a, b int64) (int64, error)

	// Echo returns the bytes that it is given, and a note, if there is one.
	Echo(ctx context.Context, data []byte, note *string) (same []byte, noted string, err error)

	// Grow returns a tree with one more leaf.
	Grow(ctx context.Context, tree Tree) (Tree, error)

	// Find returns the first tree of that name, or nil.
	Find(ctx context.Context, name string, trees map[string]Tree) (*Tree, error)

	// Erase forgets a name.
	//
	//wirecall:option mcp.tool=destructive
	Erase(ctx context.Context, name string) error

	// Note takes note of a text.
	//
	//wirecall:notify
	Note(ctx context.Context, text string) error

	// Count counts, from the number behind after.
	//
	//wirecall:cursor after=N
	Count(ctx context.Context, after int64) (iter.Seq2[Tick, error], error)

	// Deal deals n numbers onto two piles.
	Deal(ctx context.Context, n int) (dealt int, left, right iter.Seq2[int, error], err error)

	// Words streams n words of a size.
	Words(ctx context.Context, n, size int) (iter.Seq2[string, error], error)

	// Sum adds numbers up.
	Sum(ctx context.Context, numbers iter.Seq2[int64, error]) (int64, error)

	// Who returns who calls.
	Who(ctx context.Context) (string, error)

	// Wait waits until it is cancelled.
	Wait(ctx context.Context) error

	// Call calls the client.
	Call(ctx context.Context) (string, error)

	// Hidden is no tool.
	//
	//wirecall:option mcp.tool=no
	Hidden(ctx context.Context) error
}

// A Tree is a name and what grows from it.
type Tree struct {
	// Name is what the tree is called.
	Name string `json:"name"`

	// Branches are trees themselves.
	Branches []Tree `json:"branches,omitempty"`
}

// A Tick is a number of Count.
type Tick struct {
	N int64
}

// Refused is the error for a name that is not allowed.
type Refused struct {
	Name string `json:"name"`
}

func (e *Refused) Error() string { return "the name " + e.Name + " is not allowed" }
