package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/session"
)

// A watchedStream is a stream with observers or stream interceptors. Except for end, it
// may be used only by the goroutine that produces the stream or ranges over it.
type watchedStream struct {
	observers *observers
	checks    []func(any) error
	items     []func(n, bytes int)
	ends      []func(StreamResult)
	ended     sync.Once
	claimed   atomic.Bool
	unwatch   func() // undoes untilRanged; nil if that was not called

	result  StreamResult
	n, size int // items and bytes since the last report
}

// watches reports whether there are observers or interceptors of streams.
func (c *config) watches() bool { return len(c.observers.stream) > 0 || len(c.streamInterceptors) > 0 }

// watchStream calls the observers and the interceptors with a new stream. They are user
// code.
func (c *config) watchStream(ctx context.Context, info *StreamInfo) *watchedStream {
	w := &watchedStream{observers: c.observers}
	for _, intercept := range c.streamInterceptors {
		if check := intercept(ctx, info); check != nil {
			w.checks = append(w.checks, check)
		}
	}
	for _, f := range c.observers.stream {
		c.observers.guard(func() {
			items, end := f(ctx, info)
			if items != nil {
				w.items = append(w.items, items)
			}
			if end != nil {
				w.ends = append(w.ends, end)
			}
		})
	}
	return w
}

// unobserved returns w without its observers, for a range over a stream whose end they
// have already been called with.
func (w *watchedStream) unobserved() *watchedStream {
	return &watchedStream{observers: w.observers, checks: w.checks}
}

// check passes an item through the interceptors.
func (w *watchedStream) check(item any) error {
	for _, check := range w.checks {
		if err := check(item); err != nil {
			return err
		}
	}
	return nil
}

// count adds items for the next report.
func (w *watchedStream) count(n, size int) {
	w.n += n
	w.size += size
}

// report calls the observers with the items that have been counted since the last
// report.
func (w *watchedStream) report() {
	if w.n == 0 {
		return
	}
	w.result.Items += int64(w.n)
	w.result.Bytes += int64(w.size)
	for _, f := range w.items {
		w.observers.guard(func() { f(w.n, w.size) })
	}
	w.n, w.size = 0, 0
}

// end calls the observers with the end of the stream, once.
func (w *watchedStream) end(err error) {
	w.ended.Do(func() {
		w.report()
		w.result.Err = err
		for _, f := range w.ends {
			w.observers.guard(func() { f(w.result) })
		}
	})
}

// next returns the next item of a received stream, as RecvStream.Next does.
func (w *watchedStream) next(rs *session.RecvStream) ([]byte, error) {
	if rs.Ready() {
		raw, err := rs.Next()
		w.count(1, len(raw))
		return raw, err
	}
	w.report()
	begun := time.Now()
	raw, err := rs.Next()
	w.result.Blocked += time.Since(begun)
	if err == nil {
		w.count(1, len(raw))
	}
	return raw, err
}

// streamNames returns the names of the streams that p.streams returns.
func (p *payload) streamNames() (names []string) {
	if p.record == nil {
		return []string{""}
	}
	for i, name := range p.names {
		if _, ok := p.record.Field(i).(*contract.Stream); ok {
			names = append(names, name)
		}
	}
	return names
}

// watchSent watches the streams that are about to be sent.
func (c *config) watchSent(ctx context.Context, call *Call, p *payload, producers []session.Producer) {
	names := p.streamNames()
	for i, each := range producers {
		if each, ok := each.(*pump); ok {
			each.begin = func() *watchedStream {
				return c.watchStream(ctx, &StreamInfo{Call: call, Name: names[i], Sent: true})
			}
		}
	}
}

// watchReceived watches the streams that have been decoded. A stream that is not ranged
// over ends with ctx or with the session.
func watchReceived(ctx context.Context, c *session.Session, call *Call, p *payload) {
	if !connOf(c).watches() {
		return
	}
	names := p.streamNames()
	for i, each := range p.streams() {
		s, ok := each.Remote.(*incomingStream)
		if !ok {
			continue
		}
		w := connOf(c).watchStream(ctx, &StreamInfo{Call: call, Name: names[i]})
		s.watch = w
		w.untilRanged(ctx, c.Ctx)
	}
}

// untilRanged ends the watch with the first of two contexts, unless the stream has been
// ranged over by then. The end of the session is not the stream's: its items may be
// there, and could be ranged over still.
func (w *watchedStream) untilRanged(call, session context.Context) {
	end := func() {
		if !w.claim() {
			return
		}
		err := context.Cause(call)
		if err == nil || err == context.Cause(session) {
			err = context.Canceled
		}
		w.end(err)
	}
	stop := context.AfterFunc(session, end)
	unwatch := context.AfterFunc(call, func() {
		stop()
		end()
	})
	w.unwatch = func() {
		stop()
		unwatch()
	}
}

// claim reports whether this is the first call, whose caller then owns the watch: a
// range, or the end of a stream that was not ranged over.
func (w *watchedStream) claim() bool { return !w.claimed.Swap(true) }

// ranged ends the watch after a range. left reports whether the loop was left early.
func (w *watchedStream) ranged(err error, left bool) {
	if w.unwatch != nil {
		w.unwatch()
	}
	if err == nil && left {
		err = context.Canceled
	}
	w.end(err)
}
