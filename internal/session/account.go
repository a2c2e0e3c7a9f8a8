package session

import (
	"context"
	"sync"
)

// An account keeps the streams of one call together: they end with its context,
// and when the last of those that count has ended the call is over.
type account struct {
	cancel context.CancelCauseFunc // called once, when it is; nil where nobody needs to know
	cursor bool                    // its streams are continued by another call where they end with CodeComeAgain
	told   bool                    // who ends the context calls end, except for the connection, which stops its sources

	ctx context.Context // set when the first streams are added

	mu      sync.Mutex
	open    int // what counts and has not ended, the call itself included
	cause   error
	sources []*SendStream
	sinks   []*RecvStream
	unwatch func() bool
}

func newAccount() *account { return &account{open: 1} }

// add puts streams under ctx, n of which keep the call open.
func (a *account) add(ctx context.Context, n int, sources []*SendStream, sinks []*RecvStream) {
	if len(sources)+len(sinks) == 0 {
		return
	}
	a.mu.Lock()
	a.ctx = ctx
	a.open += n
	a.sources = append(a.sources, sources...)
	a.sinks = append(a.sinks, sinks...)
	if a.unwatch == nil && (!a.told || len(a.sinks) > 0) && ctx.Done() != nil {
		a.unwatch = context.AfterFunc(ctx, func() { a.end(context.Cause(ctx)) })
	}
	cause := a.cause
	a.mu.Unlock()
	if cause != nil { // the context ended before these came to be
		a.end(cause)
	}
}

// end is the end of the call's context.
func (a *account) end(cause error) {
	a.mu.Lock()
	a.cause = cause
	sources, sinks := a.sources, a.sinks
	a.sources, a.sinks = nil, nil
	a.mu.Unlock()
	for _, s := range sources {
		s.stop(cause)
	}
	for _, k := range sinks {
		k.Cancel(cause)
	}
}

// done is one less of what keeps the call open.
func (a *account) done() {
	a.mu.Lock()
	a.open--
	over := a.open == 0
	unwatch := a.unwatch
	a.mu.Unlock()
	if !over {
		return
	}
	if a.cancel != nil {
		a.cancel(context.Canceled)
	}
	if unwatch != nil {
		unwatch()
	}
}
