// Package api is the contract after it was changed.
package api

import (
	"context"
	"iter"
)

//wirecall:service
//wirecall:error Full 1002
type Api interface {
	Added(ctx context.Context) error
	//wirecall:notify
	Kind(ctx context.Context, x int) error
	Repeated(ctx context.Context) error
	//wirecall:idempotent
	Once(ctx context.Context) error
	Follow(ctx context.Context, after int64) (iter.Seq2[Item, error], error)
	//wirecall:cursor after=Ref
	Changed(ctx context.Context, after, before int64) (iter.Seq2[Item, error], error)
	//wirecall:cursor after=ID
	Begins(ctx context.Context, after int64) (iter.Seq2[Item, error], error)
	Params(ctx context.Context, kept string, colour Color, added bool, more iter.Seq2[int, error]) error
	Order(ctx context.Context, b, a string) error
	//wirecall:param is alias=was
	//wirecall:param soon alias=both
	//wirecall:param since alias=next
	//wirecall:cursor since=ID
	Alias(ctx context.Context, is string, soon int, since int64) (iter.Seq2[Item, error], error)
	//wirecall:result soon alias=both
	AliasResult(ctx context.Context) (soon, changed int, err error)
	Arity(ctx context.Context) (n int, more string, err error)
	Several(ctx context.Context) (b string, c bool, err error)
	Stream(ctx context.Context, up []int) (int, error)
	Both(ctx context.Context, v Value) (Value, error)
	Sends(ctx context.Context, v Sent) error
	Gets(ctx context.Context) (Got, error)
	Loop(ctx context.Context, n Node) (Node, error)
}

type Color string

const (
	Red    Color = "crimson"
	Green  Color = "green"
	Yellow Color = "yellow"
)

type Item struct {
	ID  int64
	Ref int64
}

type Node struct {
	Next *Node
	Name string
}

type Value struct {
	Same    string
	Bytes   string
	Quoted  int64
	Fixed   [4]int
	ByID    map[string]string
	Renamed int64  `json:"is"`
	Case    string `json:"userId"`
	When    string
	Size    bool
	List    []string
	Added   string
}

type Sent struct {
	Narrow int32
	Wide   int64
	Any    string
	Null   string
	Filled *string
	Color  Color
}

type Got struct {
	Narrow int32
	Wide   int64
	Some   any
	Null   string
	NoNull *string
	Filled string `json:",omitempty"`
	Always string
	Color  Color
}

type Full struct{ Free string }

func (*Full) Error() string { return "full" }
