package rpc

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
	"github.com/wirecall/wirecall/internal/contract"
)

func init() {
	contract.NewCursor = func(ctx context.Context, caller, call any) contract.Cursor {
		return newCursor(ctx, caller.(Caller), call.(*Call))
	}
}

// A cursor is a call whose stream is continued by further calls: see gen1.Cursor.
type cursor struct {
	ctx    context.Context
	caller Caller
	call   Call // each time a copy is made, for interceptors may change it
	stream *contract.Stream
	used   atomic.Bool

	// The rest belongs to the goroutine that ranges.
	opened time.Time // when the stream began
	tries  int       // how often the call was made again since anything came of it
	sent   int       // how often the server said to come again since an item came
}

func newCursor(ctx context.Context, caller Caller, call *Call) *cursor {
	c := &cursor{ctx: ctx, caller: caller, call: *call, stream: call.Result.(*contract.Stream)}
	c.open()
	return c
}

// open notes that the stream is there.
func (c *cursor) open() {
	c.opened = time.Now()
	if s, ok := c.stream.Remote.(*incomingStream); ok {
		s.AllowMove()
	}
}

// Begin refuses a second range.
func (c *cursor) Begin() error {
	if c.used.Swap(true) {
		return ErrStreamUsed
	}
	return nil
}

// Stream is the stream of the latest call.
func (c *cursor) Stream() contract.Stream { return *c.stream }

// Continue makes the call again, until there is a stream. Otherwise it returns what
// the range ends with, which is end, the end of the stream so far, unless that
// was a loss.
func (c *cursor) Continue(end error, moved bool) error {
	if c.stream.Remote == nil || !lost(end) && !isComeAgain(end) {
		return end
	}
	if moved || time.Since(c.opened) > slowest {
		c.tries = 0
	}
	if moved {
		c.sent = 0
	}
	// What came with the first answer is the user's by now, who may be reading it.
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
	quickest = 100 * time.Millisecond // the second pause; the first is none
	slowest  = 5 * time.Second
)

// pause waits for as long as is due before the try after one that has ended with
// end. It returns why there shall be none, if so.
func (c *cursor) pause(end error) error {
	t := time.NewTimer(c.delay(end))
	defer t.Stop()
	var ended <-chan struct{}
	conn, ok := c.caller.(*Conn)
	if ok {
		ended = conn.Done()
	}
	select {
	case <-t.C:
	case <-ended:
	case <-c.ctx.Done():
	}
	switch {
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	case ok && conn.Err() != nil:
		s := conn.session.Load()
		return conn.over(public(s, s.LostCallError(conn.Err())))
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
		d = backoff.Delay(quickest, slowest, c.tries-1)
	}
	c.tries++
	return d
}
