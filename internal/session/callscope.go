package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A callScope groups the streams of one call. The end of the call's context ends all of
// them, and the call's context is cancelled when the call and the last stream that
// counts have ended.
type callScope struct {
	context        *callContext // ends when nothing is open; nil for a call to the peer
	cursor         bool         // streams that end with fault.ComeAgain are continued by another call
	explicitCancel bool         // whoever ends the context also calls cancelStreams, so that send streams need no watch of it

	ctx context.Context // the call's, set when the first streams are added

	mu             sync.Mutex
	open           int // the call, until done, and the streams that keep it open
	cause          error
	sendStreams    []*SendStream
	recvStreams    []*RecvStream
	unwatchContext func() bool
}

func newCallScope() *callScope { return &callScope{open: 1} }

// add puts streams under ctx. n of them keep the call open until each has called done.
func (cs *callScope) add(ctx context.Context, n int, sendStreams []*SendStream, recvStreams []*RecvStream) {
	cs.mu.Lock()
	cs.ctx = ctx
	cs.open += n
	cs.sendStreams = append(cs.sendStreams, sendStreams...)
	cs.recvStreams = append(cs.recvStreams, recvStreams...)
	if cs.unwatchContext == nil && (!cs.explicitCancel || len(cs.recvStreams) > 0) && ctx.Done() != nil {
		cs.unwatchContext = context.AfterFunc(ctx, func() { cs.cancelStreams(context.Cause(ctx)) })
	}
	cause := cs.cause
	cs.mu.Unlock()
	if cause != nil { // the context ended before the streams were added
		cs.cancelStreams(cause)
	}
}

// cancelStreams ends all streams of the scope, and those added later, with cause.
func (cs *callScope) cancelStreams(cause error) {
	cs.mu.Lock()
	cs.cause = cause
	sendStreams, recvStreams := cs.sendStreams, cs.recvStreams
	cs.sendStreams, cs.recvStreams = nil, nil
	cs.mu.Unlock()
	for _, ss := range sendStreams {
		ss.stop(cause)
	}
	for _, rs := range recvStreams {
		rs.Cancel(cause)
	}
}

// done removes the call, or one stream that keeps it open.
func (cs *callScope) done() {
	cs.mu.Lock()
	cs.open--
	over := cs.open == 0
	unwatch := cs.unwatchContext
	cs.mu.Unlock()
	if !over {
		return
	}
	if cs.context != nil {
		cs.context.cancel(context.Canceled)
	}
	if unwatch != nil {
		unwatch()
	}
}

// BindToContext makes the end of ctx cancel the streams of a result, which may have
// received items already.
func BindToContext(ctx context.Context, recvStreams []*RecvStream) {
	scope := newCallScope()
	scope.add(ctx, len(recvStreams), nil, recvStreams)
	for _, rs := range recvStreams {
		if !rs.joinScope(scope) {
			scope.done()
		}
	}
	scope.done()
}

// A callContext is the context of a call's handler. It has the call among its values, and
// ends with its parent, or when the call is cancelled or over. Few handlers wait for
// that; a context of package context, which others can wait for and derive from, is made
// when its Done is first called.
type callContext struct {
	values callValues

	mu       sync.Mutex
	cause    error                    // why the call has ended; guarded by mu
	ended    atomic.Bool              // cause is set
	waitable atomic.Pointer[waitable] // nil before the first Done; set under mu
}

// A waitable is a context with the functions that end it.
type waitable struct {
	context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // stops the timer; nil without one
}

// callValues is the parent of a call's context with the call among its values.
type callValues struct {
	context.Context
	in *Incoming
}

type callKey struct{}

func (v *callValues) Value(key any) any {
	if key == (callKey{}) {
		return v.in
	}
	return v.Context.Value(key)
}

// CallFromContext returns the call whose handler ctx belongs to, or nil if ctx belongs
// to none.
func CallFromContext(ctx context.Context) *Incoming {
	in, _ := ctx.Value(callKey{}).(*Incoming)
	return in
}

// begin sets the parent, and the time until the deadline, 0 for none.
func (c *callContext) begin(parent context.Context, in *Incoming, timeout time.Duration) {
	c.values = callValues{parent, in}
	if timeout > 0 {
		w := newWaitable(&c.values)
		w.Context, w.stop = context.WithTimeout(w.Context, timeout)
		c.waitable.Store(w)
	}
}

func newWaitable(parent context.Context) *waitable {
	w := &waitable{}
	w.Context, w.cancel = context.WithCancelCause(parent)
	return w
}

// wait returns the context that can be waited for.
func (c *callContext) wait() *waitable {
	if w := c.waitable.Load(); w != nil {
		return w
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waitable.Load()
	switch {
	case w != nil:
		return w
	case c.ended.Load():
		w = newWaitable(context.WithoutCancel(&c.values)) // the parent may have ended later, for another cause
		w.cancel(c.cause)
	default:
		w = newWaitable(&c.values)
	}
	c.waitable.Store(w)
	return w
}

// cancel ends the context. Only the first call has an effect.
func (c *callContext) cancel(cause error) {
	w := c.waitable.Load()
	if w == nil {
		w = c.end(cause)
	}
	if w != nil {
		w.cancel(cause)
		if w.stop != nil {
			w.stop()
		}
	}
}

// end is cancel for a context that nobody waits for. If somebody does by now, it returns
// what must be cancelled.
func (c *callContext) end(cause error) *waitable {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waitable.Load()
	if w == nil && !c.ended.Load() {
		if c.cause = cause; c.values.Err() != nil { // the parent has ended before
			c.cause = context.Cause(&c.values)
		}
		c.ended.Store(true)
	}
	return w
}

// Deadline implements context.Context.
func (c *callContext) Deadline() (time.Time, bool) {
	if w := c.waitable.Load(); w != nil {
		return w.Deadline()
	}
	return c.values.Deadline()
}

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} { return c.wait().Done() }

// Err implements context.Context.
func (c *callContext) Err() error {
	switch w := c.waitable.Load(); {
	case w != nil:
		return w.Err()
	case c.ended.Load():
		return context.Canceled
	}
	return c.values.Err()
}

// Value implements context.Context. Package context asks it for the nearest of its own
// contexts, to learn the cause: that of an ended call must exist.
func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.values.in
	}
	if c.waitable.Load() != nil || c.ended.Load() {
		return c.wait().Value(key)
	}
	return c.values.Value(key)
}
