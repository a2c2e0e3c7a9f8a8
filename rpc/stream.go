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
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/feed"
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

// A pump produces a stream of this side: it runs the iterator and encodes its items. It
// implements session.Producer.
type pump struct {
	stream  *session.SendStream
	iterate contract.Producer
	method  *Method

	begin func() *watchedStream // nil if the stream is not watched
	watch *watchedStream        // the result of begin
}

// pumpsOf returns the producers of the streams of a payload, which are about to be sent.
// That of a nil iterator is nil.
func pumpsOf(ctx context.Context, s *session.Session, call *Call, p *payload, streams []*contract.Stream) []session.Producer {
	producers := make([]session.Producer, len(streams))
	mayFeed := s.Mode == session.ModeWirecall && !connOf(s).watches()
	for i, st := range streams {
		var source feed.Source
		if mayFeed {
			source = feed.Of(ctx, st)
		}
		switch err := st.Err; {
		case source != nil:
			producers[i] = &fed{ctx: ctx, source: source, method: call.Method}
		case st.Local != nil:
			producers[i] = &pump{iterate: st.Local, method: call.Method}
		case err != nil:
			producers[i] = &pump{iterate: func(func(any) bool) error { return err }, method: call.Method}
		}
	}
	if c := connOf(s); c.watches() {
		c.watchSent(ctx, call, p, producers)
	}
	return producers
}

// Produce implements session.Producer. It always enters the iterator once, so that the
// iterator can release what it holds. If the stream has ended, its first yield returns
// false.
func (p *pump) Produce(s *session.SendStream) (parked bool) {
	p.stream = s
	err := errExited
	defer func() { // also after runtime.Goexit in the iterator
		left := p.watch != nil && s.Unwanted()
		why := s.Reason(err)
		s.Finish(endOf(s, p.method, why))
		if p.watch != nil {
			p.watch.result.Blocked = s.Blocked
			p.watch.ranged(asReceived(s.Session, why, p.method.Errors), left)
		}
	}()
	err = p.guard()
	return false
}

// guard runs the iterator. A panic becomes the stream's error.
func (p *pump) guard() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(p.stream.Session, "stream", r)
		}
	}()
	if p.begin != nil {
		p.watch, p.stream.Timed = p.begin(), true
		return p.iterate(p.emitWatched)
	}
	return p.iterate(p.emit)
}

// emitWatched is emit for a stream that is watched.
func (p *pump) emitWatched(item any) bool {
	if err := p.watch.check(item); err != nil {
		p.stream.Failure = err
		return false
	}
	if !p.emit(item) {
		return false
	}
	p.watch.count(1, p.stream.LikelySize)
	p.watch.report()
	return true
}

// emit encodes and sends one item. It waits for credit and for room in the send queue.
// It is the yield function of the iterator.
func (p *pump) emit(item any) bool {
	s := p.stream
	for {
		buf, ok := s.Next()
		if !ok {
			return false
		}
		b, err := encodeTo(buf, codecOf(s.Session), item, s.Depth())
		if err != nil {
			s.Failure = Errorf(CodeInternal, "rpc: a stream item cannot be encoded: %w", err)
			return false
		}
		if result := s.Put(b); result != session.PutAgain {
			return result == session.PutDone
		}
	}
}

// endOf returns the error that is sent at the end of a stream of a method, or nil if the
// stream is complete. It runs methods of err, which are user code.
func endOf(ss *session.SendStream, m *Method, err error) *fault.Error {
	if err == nil {
		return nil
	}
	return crossing(ss.Session, hasRun(public(ss.Session, err)), m.Errors)
}

// A fed produces a stream from a source, in place of the iterator that a handler has
// returned. It implements session.Producer.
type fed struct {
	ctx    context.Context // of the call
	source feed.Source
	method *Method
}

// Produce implements session.Producer. It returns true when the source has parked the
// stream.
func (f *fed) Produce(s *session.SendStream) (parked bool) {
	err := errExited
	defer func() {
		if !parked {
			f.source.Close()
			s.Finish(endOf(s, f.method, s.Reason(err)))
		}
	}()
	f.source.Unparked()
	parked, err = f.run(s)
	return parked
}

// run sends what the source has until the stream is parked or ends.
func (f *fed) run(s *session.SendStream) (parked bool, err error) {
	for accepted := true; accepted && !s.Stopped(); {
		if accepted, err = f.send(s); accepted && f.source.Park(s, codecOf(s.Session)) {
			return true, nil
		}
	}
	return false, err
}

// send sends what the source has. It reports whether the stream accepts more. A panic, in
// a type's own encoding, becomes the stream's error.
func (f *fed) send(s *session.SendStream) (accepted bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			accepted, err = false, panicked(s.Session, "stream", r)
		}
	}()
	accepted = true
	err = f.source.Each(f.ctx, codecOf(s.Session), func(item []byte) bool {
		accepted = put(s, item)
		return accepted
	})
	return accepted && err == nil, err
}

// put puts an encoded item into a stream.
func put(s *session.SendStream, item []byte) bool {
	for {
		buf, ok := s.Next()
		if !ok {
			return false
		}
		if result := s.Put(append(buf, item...)); result != session.PutAgain {
			return result == session.PutDone
		}
	}
}

// Of returns a stream of the given items.
func Of[T any](items ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range items {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Collect ranges over seq and returns its items and the error that it ended with, if
// any. With an error it returns the items that came before it. It is for streams that
// are known to be short, since it holds all items in memory.
func Collect[T any](seq iter.Seq2[T, error]) (items []T, err error) {
	for v, err := range seq {
		if err != nil {
			return items, err
		}
		items = append(items, v)
	}
	return items, nil
}
