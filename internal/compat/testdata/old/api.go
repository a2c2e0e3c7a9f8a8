// Package api is a contract before it is changed.
package api

import (
	"context"
	"iter"
	"time"
)

//wirecall:service
type Gone interface {
	Do(ctx context.Context) error
}

//wirecall:service
//wirecall:error Full 1000
//wirecall:error Late 1001
type Api interface {
	Removed(ctx context.Context) error
	// Old is old.
	//
	// Deprecated: use another.
	Old(ctx context.Context) error
	Kind(ctx context.Context, x int) error
	//wirecall:idempotent
	Repeated(ctx context.Context) error
	Once(ctx context.Context) error
	//wirecall:cursor after=ID
	Follow(ctx context.Context, after int64) (iter.Seq2[Item, error], error)
	//wirecall:cursor after=ID
	Changed(ctx context.Context, after, before int64) (iter.Seq2[Item, error], error)
	Begins(ctx context.Context, after int64) (iter.Seq2[Item, error], error)
	Params(ctx context.Context, kept string, renamed Color, dropped int) error
	Order(ctx context.Context, a, b string) error
	//wirecall:param both alias=soon
	//wirecall:param next alias=past
	//wirecall:cursor next=ID
	Alias(ctx context.Context, was string, both int, next int64) (iter.Seq2[Item, error], error)
	//wirecall:result both alias=soon
	//wirecall:result later alias=changed
	AliasResult(ctx context.Context) (both, later int, err error)
	Arity(ctx context.Context) (int, error)
	Several(ctx context.Context) (a int, b string, err error)
	Stream(ctx context.Context, up iter.Seq2[int, error]) (int, error)
	Both(ctx context.Context, v Value) (Value, error)
	Sends(ctx context.Context, v Sent) error
	Gets(ctx context.Context) (Got, error)
	Loop(ctx context.Context, n Node) (Node, error)
}

type Color string

const (
	Red   Color = "red"
	Green Color = "green"
	Blue  Color = "blue"
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
	Bytes   []byte
	Quoted  int64 `json:",string"`
	Fixed   [3]int
	ByID    map[int]string
	Removed string
	Renamed time.Duration `json:"was"`
	Case    string        `json:"userid"`
	When    time.Time
	Size    int64
	List    []string
}

type Sent struct {
	Narrow int64
	Wide   int32
	Any    any
	Null   *string
	Filled string
	Color  Color
}

type Got struct {
	Narrow int64
	Wide   int32
	Some   string
	Null   *string
	NoNull string
	Filled string
	Always string `json:",omitempty"`
	Color  Color
}

type Full struct{ Free int }

func (*Full) Error() string { return "full" }

type Late struct{ By int }

func (*Late) Error() string { return "late" }
