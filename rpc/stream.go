package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"runtime"
	"sync/atomic"
)

// A Stream is a stream of values on its way across the wire: the untyped form
// of an iter.Seq2[T, error]. Generated code puts the type off and on with From
// and To; nobody else needs it. The zero Stream is the nil iterator, which is
// received as an empty stream.
type Stream struct {
	local  producer // what From was given
	remote *incomingStream
	err    error // why there is no stream
}

// A producer runs the user's iterator and hands pointers to its items to emit,
// until that returns false. Its error is what the iterator yielded.
type producer func(emit func(item any) bool) error

// From is the Stream of what seq yields. An error is the last thing that it may
// yield. seq runs on a goroutine of the runtime once the call is on its way, up
// to a window ahead of the reader, and may still be running when the call has
// returned; each item has been encoded when its yield returns.
func From[T any](seq iter.Seq2[T, error]) Stream {
	if seq == nil {
		return Stream{}
	}
	return Stream{local: func(emit func(any) bool) error {
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

// To is the Stream as the iterator that users range over, once: a second range
// yields ErrStreamUsed. Leaving the loop in any way ends the stream on both
// sides. An error is the last thing it yields.
func To[T any](s Stream) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		item := new(T)
		decode := func(raw decodable) bool {
			*item = zero
			if err := raw.decode(item); err != nil {
				yield(zero, err)
				return false
			}
			return yield(*item, nil)
		}
		if err := s.each(decode); err != nil {
			yield(zero, err)
		}
	}
}

// A decodable is an item that has no type yet.
type decodable interface{ decode(v any) error }

// each calls f with every item until it returns false, and returns what the
// stream ended with where f did not end it.
func (s Stream) each(f func(decodable) bool) error {
	switch {
	case s.err != nil:
		return s.err
	case s.remote != nil:
		return s.remote.each(f)
	case s.local != nil: // never crossed a wire: client and service met in one process
		stopped := false
		err := s.local(func(item any) bool {
			stopped = !f(localItem{item})
			return !stopped
		})
		if stopped {
			return nil
		}
		return err
	}
	return nil
}

type localItem struct{ item any }

func (l localItem) decode(v any) error {
	if l.item == nil {
		return errors.New("rpc: no item")
	}
	return assign(v, l.item)
}

// An incomingStream is what a user's iterator holds of a stream from the peer.
// It is a value apart from the sink that the connection knows, so that the
// garbage collector can tell when the user has lost it.
type incomingStream struct {
	*sink
	used atomic.Bool
}

func newIncomingStream(k *sink) *incomingStream {
	s := &incomingStream{sink: k}
	runtime.AddCleanup(s, (*sink).forgotten, k)
	return s
}

func (s *incomingStream) each(f func(decodable) bool) error {
	if s.used.Swap(true) {
		return ErrStreamUsed
	}
	defer runtime.KeepAlive(s)
	defer s.leave()
	item := &wireItem{k: s.sink} // one for all, or each would be allocated
	for {
		raw, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return recognize(err)
		}
		if item.raw = raw; !f(item) {
			return nil
		}
	}
}

type wireItem struct {
	k   *sink
	raw []byte
}

func (w *wireItem) decode(v any) error {
	if err := decodeFrom(w.raw, w.k.c.codec, v); err != nil {
		return fmt.Errorf("rpc: a stream item cannot be decoded: %w", err)
	}
	return nil
}

// FromChan is an iterator over what ch carries, for a service that has a
// channel. It ends when ch is closed, then yielding *err if err is not nil and
// *err is not, or when ctx ends, yielding its cause. Leaving the range leaves
// ch as it is: whoever sends on it must have another way out, such as ctx.
func FromChan[T any](ctx context.Context, ch <-chan T, err *error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for {
			select {
			case v, ok := <-ch:
				switch {
				case !ok && err != nil && *err != nil:
					yield(zero, *err)
					return
				case !ok:
					return
				case !yield(v, nil):
					return
				}
			case <-ctx.Done():
				yield(zero, context.Cause(ctx))
				return
			}
		}
	}
}

// ToChan ranges over seq on a new goroutine and sends what it yields on the
// channel, which it closes at the end. Then, not before, the function tells the
// error that seq ended with, or ctx's cause where ctx ended first. The goroutine
// ends with the stream or with ctx, whether or not anyone receives.
func ToChan[T any](ctx context.Context, seq iter.Seq2[T, error]) (<-chan T, func() error) {
	ch := make(chan T)
	var end error
	go func() {
		defer close(ch)
		for v, err := range seq {
			if err != nil {
				end = err
				return
			}
			select {
			case ch <- v:
			case <-ctx.Done():
				end = context.Cause(ctx)
				return
			}
		}
	}()
	return ch, func() error {
		for range ch { // what is left unread does not hide the end
		}
		return end
	}
}

// assign stores the item that from points to in what to points to.
func assign(to, from any) error {
	dst, src := reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem()
	if !src.Type().AssignableTo(dst.Type()) {
		return fmt.Errorf("rpc: a stream of %v is read as one of %v", src.Type(), dst.Type())
	}
	dst.Set(src)
	return nil
}
