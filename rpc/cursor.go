package rpc

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/backoff"
)

// Resume is To for a method that continues its stream after a cursor. It is made
// when call has been made with caller, under ctx; call.Result is a *Stream. For
// each item, before the user gets it, delivered is called, which moves the cursor
// in call.Params.
//
// Where the stream ends because its connection or session was lost the call is made
// again, with the cursor where it is, at once and then after pauses that grow to
// five seconds. Where it ends with CodeComeAgain that is done after 1 to 1.5 times
// the error's Retry; as long as no item comes in between, the pauses double up to
// thirty seconds. So it goes on until ctx ends, or
// the stream ends in another way, or the call fails in another way than that the
// peer could not be reached, or caller is a Conn that has ended for good. A
// Caller that connects anew by itself says that it could not with an *Error as
// Dial's are.
func Resume[T any](ctx context.Context, caller Caller, call *Call, delivered func(T)) iter.Seq2[T, error] {
	c := newCursor(ctx, caller, call)
	return func(yield func(T, error) bool) {
		var zero T
		err := c.begin()
		for err == nil {
			for v, end := range To[T](*c.stream) {
				if err = end; err != nil {
					break
				}
				c.moved = true
				delivered(v)
				if !yield(v, nil) {
					return
				}
			}
			if err == nil {
				return
			}
			err = c.resume(err)
		}
		yield(zero, err)
	}
}

// A cursor is a call whose stream is resumed.
type cursor struct {
	ctx    context.Context
	caller Caller
	call   Call // each time a copy is made, for interceptors may change it
	stream *Stream
	used   atomic.Bool

	// The rest belongs to the goroutine that ranges.
	opened time.Time // when the stream began
	moved  bool      // an item has been delivered since
	tries  int       // how often the call was made again since anything came of it
	sent   int       // how often the server said to come again since an item came
}

func newCursor(ctx context.Context, caller Caller, call *Call) *cursor {
	c := &cursor{ctx: ctx, caller: caller, call: *call, stream: call.Result.(*Stream)}
	c.open()
	return c
}

// open notes that the stream is there.
func (c *cursor) open() {
	c.opened, c.moved = time.Now(), false
	if c.stream.remote != nil {
		c.stream.remote.move()
	}
}

// begin refuses a second range.
func (c *cursor) begin() error {
	if c.used.Swap(true) {
		return ErrStreamUsed
	}
	return nil
}

// resume makes the call again, until there is a stream. Otherwise it returns what
// the range ends with, which is end, the end of the stream so far, unless that
// was a loss.
func (c *cursor) resume(end error) error {
	if c.stream.remote == nil || !lost(end) && !isComeAgain(end) {
		return end
	}
	if c.moved || time.Since(c.opened) > slowest {
		c.tries = 0
	}
	if c.moved {
		c.sent = 0
	}
	// What came with the first answer is the user's by now, who may be reading it.
	ctx := context.WithValue(c.ctx, responseKey{}, nil)
	for {
		if err := c.pause(end); err != nil {
			return err
		}
		*c.stream = Stream{}
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
		return conn.over(conn.session.Load().lostCall(conn.Err()))
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
