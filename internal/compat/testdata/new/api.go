// Package api is the contract after it was changed.
package api

import (
	"context"
	"iter"
)

// Calls has the methods of which something other than a type has changed.
//
//wirecall:service
type Calls interface {
	Added(ctx context.Context) error
	//wirecall:notify
	Kind(ctx context.Context, x int) error
	Repeated(ctx context.Context) (int, error)
	//wirecall:idempotent
	Once(ctx context.Context) (int, error)

	Follow(ctx context.Context, after int64) (iter.Seq2[Item, error], error)
	//wirecall:cursor after=Ref
	Changed(ctx context.Context, after int64) (iter.Seq2[Item, error], error)
	//wirecall:cursor after=ID
	Begins(ctx context.Context, after int64) (iter.Seq2[Item, error], error)

	Params(ctx context.Context, kept string, colour Color) (string, error)
	More(ctx context.Context, kept, added string) (string, error)
	Upload(ctx context.Context, kept string, more iter.Seq2[int, error]) (string, error)
	Order(ctx context.Context, b, a string) (string, error)
	//wirecall:param is alias=was
	//wirecall:param soon alias=both
	Alias(ctx context.Context, is string, soon int) (string, error)
	Forgotten(ctx context.Context, kept string) (string, error)

	Arity(ctx context.Context) (n int, more string, err error)
	Less(ctx context.Context) (b, c string, err error)
	Results(ctx context.Context) (a, b, c string, err error)
	//wirecall:result soon alias=both
	AliasResult(ctx context.Context) (soon, changed string, err error)
	ForgottenResult(ctx context.Context) (kept, other string, err error)
	StreamIn(ctx context.Context, up []int) (int, error)
	StreamOut(ctx context.Context) ([]int, error)

	//wirecall:error Full 1002
	Code(ctx context.Context) error
	Undeclared(ctx context.Context) error
}

type Color string

type Item struct {
	ID  int64
	Ref int64
}

type Full struct{ Free int }

func (*Full) Error() string { return "full" }

type Late struct{ By int }

func (*Late) Error() string { return "late" }
