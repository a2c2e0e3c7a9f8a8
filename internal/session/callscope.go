package session

import (
	"context"
	"sync"
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
