package post

import (
	"context"
	"slices"
	"time"
)

// A batch collects the calls that are made within Client.Window of the first, and is
// sent then, or as soon as it has MaxBatch messages. Client.mu guards it until it is
// sent.
type batch struct {
	client  *Client
	entries []*entry
	values  context.Context // of the first call
	timer   *time.Timer
	sent    bool
	waiting int                // calls whose callers wait
	cancel  context.CancelFunc // of the request; nil before it is sent
	done    chan struct{}      // closed when the entries have their answers
}

// doInBatch is Do for a client with a Window. If ctx ends before the batch is sent, the
// call is not in it; the request is canceled when all of its callers have gone.
func (c *Client) doInBatch(ctx context.Context, r Request) (Answer, error) {
	e := &entry{Request: r}
	b := c.join(ctx, e)
	select {
	case <-b.done:
		return e.answer, e.err
	case <-ctx.Done():
		b.leave(e)
		return Answer{}, context.Cause(ctx)
	}
}

// join adds a call to the open batch.
func (c *Client) join(ctx context.Context, e *entry) *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.open
	if b == nil {
		b = &batch{client: c, values: context.WithoutCancel(ctx), done: make(chan struct{})}
		b.timer = time.AfterFunc(c.Window, b.send)
		c.open = b
	}
	b.entries = append(b.entries, e)
	b.waiting++
	if len(b.entries) == c.MaxBatch {
		c.open = nil
		b.timer.Reset(0)
	}
	return b
}

// leave removes a call whose caller waits no longer.
func (b *batch) leave(e *entry) {
	c := b.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.waiting--; b.waiting == 0 && b.cancel != nil {
		b.cancel()
	}
	if !b.sent {
		b.entries = slices.DeleteFunc(b.entries, func(other *entry) bool { return other == e })
	}
}

// send sends the batch and ends its calls. The timer runs it.
func (b *batch) send() {
	c := b.client
	ctx, cancel := context.WithCancel(b.values)
	defer cancel()
	c.mu.Lock()
	if b.sent { // the timer had fired when join reset it
		c.mu.Unlock()
		return
	}
	if c.open == b {
		c.open = nil
	}
	b.sent, b.cancel = true, cancel
	entries := b.entries
	c.mu.Unlock()
	if len(entries) > 0 {
		c.exchange(ctx, entries)
	}
	close(b.done)
}
