// Package gen1 is what generated code needs beside package rpc, and nobody else. Its
// promises are for the code that generators of its time have written: a package gen2
// may stand beside it one day, so that contracts of two generators link in one
// program. Package codec/jsongen, which the code for JSON calls, is part of it: it is
// apart because its functions are passed as values, and one that calls another would
// take a call more for each element of a list.
package gen1

import (
	"context"
	"iter"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/rpc"
)

// Rev1 is named by generated code that needs no more than the first revision of this
// package and of codec/jsongen. Each addition comes with a constant of its own, so that generated code
// with an older runtime is one compiler error, in a line that says what to do.
const Rev1 = true

// A Stream carries a stream in a Call's Params or Result. The zero Stream is the nil
// iterator, which is received as an empty stream.
type Stream = contract.Stream

// A Record carries a method's parameters, or its results where they are several.
type Record = contract.Record

// Send is the Stream of what seq yields. An error is the last thing that seq may
// yield. It runs on a goroutine of the runtime once the call is on its way, up
// to a window ahead of the reader, and may still be running when the call has
// returned; each item has been encoded when its yield returns.
func Send[T any](seq iter.Seq2[T, error]) Stream {
	if seq == nil {
		return Stream{}
	}
	return Stream{Local: func(emit func(any) bool) error {
		item := new(T) // one for all, or each item would be allocated to be encoded
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

// Receive is the Stream as the iterator that users range over, once: a second range
// yields rpc.ErrStreamUsed. Leaving the loop in any way ends the stream on both
// sides. An error is the last thing it yields.
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

// Cursor is Receive for a method that continues its stream after a cursor. It is made
// when call has been made with caller, under ctx; call.Result is a *Stream. For
// each item, before the user gets it, delivered is called, which moves the cursor
// in call.Params.
//
// Where the stream ends because its connection or session was lost the call is made
// again, with the cursor where it is, at once and then after pauses that grow to
// five seconds. Where it ends with rpc.CodeComeAgain that is done after 1 to 1.5 times
// the error's Retry; as long as no item comes in between, the pauses double up to
// thirty seconds. So it goes on until ctx ends, or
// the stream ends in another way, or the call fails in another way than that the
// peer could not be reached, or caller is an *rpc.Conn that has ended for good. A
// Caller that connects anew by itself says that it could not with an *rpc.Error as
// Dial's are.
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
