// Package gen1 holds what only generated code needs beside package rpc. Its API is
// stable for the code of the generators that refer to it: a later package gen2 may exist
// beside it, so that the code of two generators links in one program. Package
// codec/jsongen, which generated code for JSON calls, belongs to it. That is a separate
// package because its functions are passed as values, and forwarding would cost one more
// call for each element of a list.
package gen1

import (
	"context"
	"iter"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/rpc"
)

// Rev1 is referred to by generated code that needs only the first revision of this
// package and of codec/jsongen. Each addition has a constant of its own, so that
// generated code with an older runtime fails to compile with one error, in a line that
// says what to do.
const Rev1 = true

// A Stream carries a stream in a Call's Params or Result. The zero Stream is a nil
// iterator, which is received as an empty stream.
type Stream = contract.Stream

// A Record carries the parameters of a method, or its results if there are several.
type Record = contract.Record

// New is the rpc.Method.New of a method with parameters P and a result R. Both are in one
// allocation.
func New[P, R any]() (params, result any) {
	v := new(struct {
		params P
		result R
	})
	return &v.params, &v.result
}

// Send returns the Stream of the items of seq. An error must be the last thing that seq
// yields. seq runs on a goroutine of the runtime once the call is on its way, ahead of
// the reader by at most a window, and may still run when the call has returned. Each
// item has been encoded when its yield returns.
func Send[T any](seq iter.Seq2[T, error]) Stream {
	if seq == nil {
		return Stream{}
	}
	return Stream{Iterator: contract.Identity(seq), Local: func(emit func(any) bool) error {
		item := new(T) // shared by all items, to save allocations
		for v, err := range seq {
			if err != nil {
				return err
			}
			if *item = v; !emit(item) {
				return nil
			}
		}
		return nil
	}}
}

// Receive returns the iterator over a Stream. It can be ranged over once; a second
// range yields rpc.ErrStreamUsed. Leaving the loop in any way ends the stream on both
// sides. An error is the last thing that it yields.
func Receive[T any](s Stream) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		item := new(T)
		decode := func(raw contract.Item) bool {
			*item = zero
			if err := raw.Decode(item); err != nil {
				yield(zero, err)
				return false
			}
			return yield(*item, nil)
		}
		if err := s.Each(decode); err != nil {
			yield(zero, err)
		}
	}
}

// Cursor returns the iterator over the stream of a method with a cursor, which
// continues the stream in further calls. It must be called when call has been made with
// caller, under ctx; call.Result is a *Stream. delivered is called with each item
// before the loop's body is, and moves the cursor in call.Params.
//
// If the stream ends because its connection or session was lost, the call is repeated
// with the current cursor, at once and then after delays that grow to five seconds. If
// it ends with rpc.CodeComeAgain, the delay is 1 to 1.5 times the error's Retry; while
// no item arrives, these delays double, up to thirty seconds. This ends when ctx ends,
// when the stream ends in any other way, when the call fails for any other reason than
// that the peer could not be reached, or when caller is an *rpc.Conn that has ended for
// good. A Caller of another type that connects anew itself must report that it could
// not with an *rpc.Error like those of Dial.
func Cursor[T any](ctx context.Context, caller rpc.Caller, call *rpc.Call, delivered func(T)) iter.Seq2[T, error] {
	c := contract.NewCursor(ctx, caller, call)
	return func(yield func(T, error) bool) {
		var zero T
		err := c.Begin()
		for err == nil {
			moved := false
			for v, end := range Receive[T](c.Stream()) {
				if err = end; err != nil {
					break
				}
				moved = true
				delivered(v)
				if !yield(v, nil) {
					return
				}
			}
			if err == nil {
				return
			}
			err = c.Continue(err, moved)
		}
		yield(zero, err)
	}
}
