package rpc

import "iter"

// A Stream is a stream of values that crosses the wire: in generated code, the
// untyped form of an iter.Seq2[T, error]. From and To put the type off and on.
type Stream struct{ s any }

// From makes a Stream of an iterator.
func From[T any](seq iter.Seq2[T, error]) Stream { panic("skeleton") }

// To is the Stream as the iterator that users range over.
func To[T any](s Stream) iter.Seq2[T, error] { panic("skeleton") }
