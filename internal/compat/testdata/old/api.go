// Package api is a contract before it is changed.
package api

import (
	"context"
	"iter"
)

//wirecall:service
type Gone interface {
	Do(ctx context.Context) error
}

// Calls has the methods of which something other than a type has changed.
//
//wirecall:service
type Calls interface {
	Removed(ctx context.Context) error
	// Old is old.
	//
	// Deprecated: use another.
	Old(ctx context.Context) error
	Kind(ctx context.Context, x int) error
	//wirecall:idempotent
	Repeated(ctx context.Context) (int, error)
	Once(ctx context.Context) (int, error)

	//wirecall:cursor after=ID
	Follow(ctx context.Context, after int64) (iter.Seq2[Item, error], error)
	//wirecall:cursor after=ID
	Changed(ctx context.Context, after int64) (iter.Seq2[Item, error], error)
	Begins(ctx context.Context, after int64) (iter.Seq2[Item, error], error)

	Params(ctx context.Context, kept string, renamed Color) (string, error)
	More(ctx context.Context, kept string) (string, error)
	Upload(ctx context.Context, kept string) (string, error)
	Order(ctx context.Context, a, b string) (string, error)
	//wirecall:param both alias=soon
	Alias(ctx context.Context, was string, both int) (string, error)
	//wirecall:param kept alias=past
	Forgotten(ctx context.Context, kept string) (string, error)

	Arity(ctx context.Context) (int, error)
	Less(ctx context.Context) (a, b, c string, err error)
	Results(ctx context.Context) (a, b string, err error)
	//wirecall:result both alias=soon
	//wirecall:result later alias=changed
	AliasResult(ctx context.Context) (both, later string, err error)
	//wirecall:result kept alias=past
	ForgottenResult(ctx context.Context) (kept, other string, err error)
	StreamIn(ctx context.Context, up iter.Seq2[int, error]) (int, error)
	StreamOut(ctx context.Context) (iter.Seq2[int, error], error)

	//wirecall:error Full 1000
	Code(ctx context.Context) error
	//wirecall:error Late 1001
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
