package rpc

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
)

func init() {
	contract.NewCursor = func(ctx context.Context, caller, call any) contract.Cursor {
		return newCursor(ctx, caller.(Caller), call.(*Call))
	}
}

// A cursor is a call whose stream is continued by further calls. It implements
// contract.Cursor; see gen1.Cursor.
type cursor struct {
	ctx    context.Context
	caller Caller
	call   Call // copied for each attempt, since interceptors may change it
	stream *contract.Stream
	used   atomic.Bool

	// The fields below are used only by the goroutine that ranges.
	opened time.Time // when the stream began
	tries  int       // attempts since the latest stream that yielded an item or lasted for maxPause
	sent   int       // CodeComeAgain errors since the latest item
}

func newCursor(ctx context.Context, caller Caller, call *Call) *cursor {
	c := &cursor{ctx: ctx, caller: caller, call: *call, stream: call.Result.(*contract.Stream)}
	c.open()
	return c
}

// open records that the call has a stream.
func (c *cursor) open() {
	c.opened = time.Now()
	if s, ok := c.stream.Remote.(*incomingStream); ok {
		s.AllowMove()
	}
}

// Begin implements contract.Cursor. It refuses a second range.
func (c *cursor) Begin() error {
	if c.used.Swap(true) {
		return ErrStreamUsed
	}
	return nil
}

// Stream implements contract.Cursor. It returns the stream of the latest call.
func (c *cursor) Stream() contract.Stream { return *c.stream }

// Continue implements contract.Cursor. It makes the call again until there is a stream,
// if the stream before ended because its session was lost or with CodeComeAgain.
// Otherwise it returns the error that the range ends with.
func (c *cursor) Continue(end error, moved bool) error {
	if c.stream.Remote == nil || !lost(end) && !isComeAgain(end) {
		return end
	}
	if moved || time.Since(c.opened) > maxPause {
		c.tries = 0
	}
	if moved {
		c.sent = 0
	}
	// The user may already be reading the metadata of the first answer.
	ctx := context.WithValue(c.ctx, responseKey{}, nil)
	for {
		if err := c.pause(end); err != nil {
			return err
		}
		*c.stream = contract.Stream{}
		call := c.call
		if end = c.caller.Call(ctx, &call); end == nil {
			c.open()
			return nil
		}
		if !unreached(end) && !isComeAgain(end) {
			return end
		}
	}
}

// unreached reports whether a call that failed with err may reach the peer later.
func unreached(err error) bool {
	if lost(err) {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == CodeUnavailable && NotRun(err) && !errors.Is(err, ErrClosed)
}

const (
	minPause = 100 * time.Millisecond // the second delay; the first is 0
	maxPause = 5 * time.Second
)

// pause waits before the attempt that follows one which ended with end. It returns an
// error if there must be no further attempt.
func (c *cursor) pause(end error) error {
	var ended <-chan struct{}
	conn, ok := c.caller.(*Conn)
	if ok {
		ended = conn.Done()
	}
	if d := c.delay(end); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ended:
		case <-c.ctx.Done():
		}
	}
	switch {
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	case ok && conn.Err() != nil:
		s := conn.session.Load()
		return conn.finalError(public(s, s.LostCallError(conn.Err())))
	}
	return nil
}

// delay returns how long to wait before the next attempt.
func (c *cursor) delay(end error) (d time.Duration) {
	if isComeAgain(end) {
		d = comeAgainDelay(end, c.sent)
		c.sent++
		return d
	}
	if c.tries > 0 {
		d = backoff.Delay(minPause, maxPause, c.tries-1)
	}
	c.tries++
	return d
}

// ComeAgain returns an error with which a handler ends a stream that has a cursor
// (//wirecall:cursor), to have it continued in another call. The client makes that call
// after the last item that its loop received, and the loop continues. The client waits
// for 1 to 1.5 times d, at random; while no item arrives, its delays double, up to 30
// seconds. d is at most an hour. If the server shuts down, the call is made on another
// server, or waits for one.
//
// The consumer of any other stream, and the caller of a handler that returns this
// error, gets an *Error with CodeComeAgain and Retry set to d.
func ComeAgain(d time.Duration) error {
	return &Error{Code: CodeComeAgain, Message: "come again", Retry: d}
}

func isComeAgain(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == CodeComeAgain
}

// The delays of a consumer whose stream ends with CodeComeAgain again and again, without
// an item in between.
const (
	minComeAgain = 100 * time.Millisecond // the least second delay
	maxComeAgain = 30 * time.Second       // the longest delay, unless the server asks for more
)

// comeAgainDelay returns how long to wait after err, which follows n such errors in a
// row.
func comeAgainDelay(err error, n int) time.Duration {
	retry, _ := RetryAfter(err)
	d := min(retry, fault.MaxRetry)
	if n > 0 {
		d = max(d, minComeAgain)
		d = backoff.Doubled(d, max(d, maxComeAgain), n)
	}
	return backoff.Between(d, d+d/2)
}
