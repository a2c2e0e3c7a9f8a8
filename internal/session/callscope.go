package session

import (
	"context"
	"sync"
)

// An account keeps the streams of one call together: they end with its context,
// and when the last of those that count has ended the call is over.
type callScope struct {
	cancelContext   context.CancelCauseFunc // called once, when it is; nil where nobody needs to know
	cursor          bool                    // its streams are continued by another call where they end with CodeComeAgain
	contextIsEnough bool                    // who ends the context calls end, except for the connection, which stops its sources

	ctx context.Context // set when the first streams are added

	mu             sync.Mutex
	open           int // what counts and has not ended, the call itself included
	cause          error
	sendStreams    []*SendStream
	recvStreams    []*RecvStream
	unwatchContext func() bool
}

func newCallScope() *callScope { return &callScope{open: 1} }

// add puts streams under ctx, n of which keep the call open.
func (cs *callScope) add(ctx context.Context, n int, sendStreams []*SendStream, recvStreams []*RecvStream) {
	if len(sendStreams)+len(recvStreams) == 0 {
		return
	}
	cs.mu.Lock()
	cs.ctx = ctx
	cs.open += n
	cs.sendStreams = append(cs.sendStreams, sendStreams...)
	cs.recvStreams = append(cs.recvStreams, recvStreams...)
	if cs.unwatchContext == nil && (!cs.contextIsEnough || len(cs.recvStreams) > 0) && ctx.Done() != nil {
		cs.unwatchContext = context.AfterFunc(ctx, func() { cs.cancelStreams(context.Cause(ctx)) })
	}
	cause := cs.cause
	cs.mu.Unlock()
	if cause != nil { // the context ended before these came to be
		cs.cancelStreams(cause)
	}
}

// end is the end of the call's context.
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

// done is one less of what keeps the call open.
func (cs *callScope) done() {
	cs.mu.Lock()
	cs.open--
	over := cs.open == 0
	unwatch := cs.unwatchContext
	cs.mu.Unlock()
	if !over {
		return
	}
	if cs.cancelContext != nil {
		cs.cancelContext(context.Canceled)
	}
	if unwatch != nil {
		unwatch()
	}
}
