package rpc

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync/atomic"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/session"
)

// An incomingStream is a stream from the peer as the user's iterator holds it. It is
// separate from the session's RecvStream, so that the garbage collector can find it
// unreferenced.
type incomingStream struct {
	*session.RecvStream
	errors declaredErrors // of the method
	used   atomic.Bool
	watch  *watchedStream // nil if the stream is not watched
}

func newIncomingStream(rs *session.RecvStream, errors declaredErrors) *incomingStream {
	s := &incomingStream{RecvStream: rs, errors: errors}
	runtime.AddCleanup(s, (*session.RecvStream).MarkUnreferenced, rs)
	return s
}

// Each implements contract.Receiver.
func (s *incomingStream) Each(f func(contract.Item) bool) error {
	if s.used.Swap(true) {
		return ErrStreamUsed
	}
	defer runtime.KeepAlive(s)
	defer s.Close()
	if s.watch != nil {
		return s.eachWatched(f)
	}
	item := &wireItem{stream: s.RecvStream} // shared by all items, to save allocations
	for {
		raw, err := s.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s.errors.recognize(public(s.Session, err))
		}
		if item.raw = raw; !f(item) {
			return nil
		}
	}
}

// eachWatched is Each for a stream that is watched.
func (s *incomingStream) eachWatched(f func(contract.Item) bool) (err error) {
	watch := s.watch
	if !watch.claim() {
		watch = watch.unobserved()
	}
	item := &watchedItem{wireItem: wireItem{stream: s.RecvStream}, watch: watch}
	left := false
	defer func() { watch.ranged(cmp.Or(err, item.err), left) }() // also after a panic in the loop's body
	for {
		raw, err := watch.next(s.RecvStream)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s.errors.recognize(public(s.Session, err))
		}
		left = true
		if item.raw = raw; !f(item) {
			return nil
		}
		left = false
	}
}

// A wireItem is an encoded item.
type wireItem struct {
	stream *session.RecvStream
	raw    []byte
}

// Decode implements contract.Item.
func (w *wireItem) Decode(v any) error {
	if err := decodeFrom(w.raw, codecOf(w.stream.Session), v); err != nil {
		return fmt.Errorf("rpc: a stream item cannot be decoded: %w", err)
	}
	return nil
}

// A watchedItem is an item that passes the stream interceptors after it has been
// decoded.
type watchedItem struct {
	wireItem
	watch *watchedStream
	err   error
}

// Decode implements contract.Item.
func (w *watchedItem) Decode(v any) error {
	if w.err = w.wireItem.Decode(v); w.err == nil {
		w.err = w.watch.check(v)
	}
	return w.err
}

// FromChan returns an iterator over what is received from ch, for a service that has a
// channel. It ends when ch is closed, after yielding *err if err and *err are not nil,
// or when ctx ends, after yielding its cause. If the range is left, nothing more is
// received from ch: the goroutine that sends on it needs another way to stop, such as
// ctx.
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

// ToChan ranges over seq on a new goroutine and sends the items on a channel, which it
// closes at the end. The function that it returns waits for that, discards the items
// that were not received, and returns the error that seq ended with, or the cause of
// ctx if ctx ended first. The goroutine ends with the stream or with ctx, even if
// nothing receives from the channel.
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
		for range ch { // discard items until the channel is closed
		}
		return end
	}
}
